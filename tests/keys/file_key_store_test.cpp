// The key file: what is on the disk after each step, and what a crash in the middle leaves.
#include <fstream>
#include <random>

#include "kappa/keys/file_key_store.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace key_files {

namespace {

using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

constexpr std::size_t slot_bytes = 512;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}
void replace(const std::filesystem::path& file, const std::string& content) {
  std::ofstream{file, std::ios::binary | std::ios::trunc} << content;
}

struct key_file {
  std::shared_ptr<key_store> open() const { return must(open_file_key_store(file)); }
  std::string content() const { return content_of(file); }

  temporary_folder folder;
  std::filesystem::path file = folder.path() / "keys" / "store";
};

key_status status(key_store& s, const char* subject) { return must(s.find(subject)).status; }

}  // namespace

BOOST_AUTO_TEST_SUITE(key_file_store)

BOOST_AUTO_TEST_CASE(a_key_is_the_same_after_a_restart_and_its_file_is_the_owners_alone) {
  key_file f;
  subject_key key;
  {
    const auto s = f.open();
    BOOST_TEST((status(*s, "ada") == key_status::none));
    key = must(s->find_or_create("ada")).key;
    BOOST_TEST((must(s->find_or_create("ada")).key == key));
    BOOST_TEST((must(s->find_or_create("bob")).key != key));
  }
  const auto s = f.open();
  BOOST_TEST((must(s->find("ada")).key == key));
  BOOST_TEST(((std::filesystem::status(f.file).permissions() & std::filesystem::perms::all) ==
              (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)));
}

BOOST_AUTO_TEST_CASE(an_erased_key_is_not_in_the_file_and_is_remembered_as_erased) {
  key_file f;
  auto s = f.open();
  const auto ada = must(s->find_or_create("ada")).key;
  const auto bob = must(s->find_or_create("bob")).key;
  BOOST_TEST((f.content().find(ada.view()) != std::string::npos));
  BOOST_TEST((must(s->erase("ada")) == erasure::done));
  BOOST_TEST((f.content().find(ada.view()) == std::string::npos));
  BOOST_TEST((f.content().find(bob.view()) != std::string::npos));
  BOOST_TEST((must(s->erase("ada")) == erasure::was_before));
  BOOST_TEST((must(s->erase("carl")) == erasure::had_no_key));
  for (int life = 0; life < 2; ++life) {
    BOOST_TEST((status(*s, "ada") == key_status::erased));
    BOOST_TEST((must(s->find_or_create("ada")).status == key_status::erased));
    BOOST_TEST((must(s->find_or_create("carl")).status == key_status::erased));
    BOOST_TEST((must(s->find("bob")).key == bob));
    s.reset();
    s = f.open();
  }
}

BOOST_AUTO_TEST_CASE(one_process_has_it) {
  key_file f;
  const auto s = f.open();
  BOOST_TEST((refused(open_file_key_store(f.file), errc::owned, {})));
}

BOOST_AUTO_TEST_CASE(another_file_is_no_key_store_and_stays_as_it_is) {
  key_file f;
  std::filesystem::create_directories(f.file.parent_path());
  replace(f.file, "diary");
  BOOST_TEST((refused(open_file_key_store(f.file), errc::corrupt, {})));
  BOOST_TEST(f.content() == "diary");
}

// All that a crash can leave of a write of up to 256 bytes: a part of the new ones, from either
// side.
BOOST_AUTO_TEST_CASE(a_crash_while_a_key_is_made_leaves_none_or_all_of_it) {
  key_file f;
  std::string before;
  std::string after;
  {
    const auto s = f.open();
    (void)must(s->find_or_create("ada"));
    before = f.content();
    before.resize(before.size() / slot_bytes * slot_bytes + slot_bytes);
    (void)must(s->find_or_create("bob"));
    after = f.content();
    after.resize(before.size() + slot_bytes);
  }
  before.resize(after.size());
  for (std::size_t cut = 0; cut <= slot_bytes / 2; ++cut) {
    for (const bool from_begin : {true, false}) {
      auto torn = before;
      const auto at = 2 * slot_bytes + (from_begin ? 0 : cut);
      const auto size = from_begin ? cut : slot_bytes / 2 - cut;
      torn.replace(at, size, after, at, size);
      replace(f.file, torn);
      const auto s = f.open();
      BOOST_TEST((status(*s, "ada") == key_status::present));
      const auto bob = status(*s, "bob");
      BOOST_TEST((bob == key_status::none || bob == key_status::present));
      BOOST_TEST((must(s->find_or_create("bob")).status == key_status::present));
      BOOST_TEST((must(s->find_or_create("carl")).status == key_status::present));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_crash_in_an_erasure_leaves_the_key_or_the_erasure_and_never_none) {
  key_file f;
  std::string before;
  std::string after;
  subject_key ada;
  {
    const auto s = f.open();
    ada = must(s->find_or_create("ada")).key;
    (void)must(s->find_or_create("bob"));
    before = f.content();
    (void)must(s->erase("ada"));
    after = f.content();
  }
  before.resize(4 * slot_bytes);
  after.resize(4 * slot_bytes);
  const auto half = slot_bytes / 2;
  const auto check = [&](const std::string& torn, bool marked) {
    replace(f.file, torn);
    const auto s = f.open();
    const auto is = status(*s, "ada");
    BOOST_TEST((is == key_status::erased || (is == key_status::present && !marked)));
    BOOST_TEST((f.content().find(ada.view()) == std::string::npos) == (is == key_status::erased));
    BOOST_TEST((status(*s, "bob") == key_status::present));
    BOOST_TEST((must(s->erase("ada")) ==
                (is == key_status::erased ? erasure::was_before : erasure::done)));
    BOOST_TEST((f.content().find(ada.view()) == std::string::npos));
  };
  for (std::size_t cut = 0; cut <= half; ++cut) {
    auto torn = before;  // the mark, in the second half, is written first
    torn.replace(slot_bytes + half, cut, after, slot_bytes + half, cut);
    check(torn, false);
    torn = before;
    torn.replace(slot_bytes + half, half, after, slot_bytes + half, half);
    torn.replace(slot_bytes, cut, after, slot_bytes, cut);
    check(torn, true);
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_slot_is_refused_and_never_read_as_erased_or_none) {
  key_file f;
  std::string whole;
  {
    const auto s = f.open();
    (void)must(s->find_or_create("ada"));
    (void)must(s->find_or_create("bob"));
    whole = f.content();
  }
  for (std::size_t at = slot_bytes; at < slot_bytes + 108; ++at) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    replace(f.file, damaged);
    const auto opened = open_file_key_store(f.file);
    BOOST_REQUIRE(!opened);
    BOOST_TEST((opened.error().code == errc::corrupt));
    BOOST_TEST(opened.error().text().find("slot 0") != std::string::npos);
    BOOST_TEST(f.content() == damaged);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace key_files
