#include "crash/power/loss.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "crash/power/journal.hpp"
#include "kappa_paths.hpp"

namespace kappa::crash::power {
namespace {

constexpr std::uint64_t page_bytes = 4096;

// One thing that has had several contents since it was durable: before each of `versions` it was as
// that entry says.
struct history {
  std::vector<const found_entry*> versions;
};

struct file_history {
  std::map<std::uint64_t, history> sectors;  // by number
  history size;
};

// How many of the changes the disk has, by a number that stands for what may be torn apart.
class keeper {
 public:
  keeper(loss_mode mode, std::mt19937_64& rng, std::uint64_t first, std::uint64_t last)
      : mode_{mode}, rng_{rng} {
    until_ = number(first, last + 1);
    kept_of_ten_ = number(1, 9);  // some disks have written nearly all, some nearly nothing
  }

  // `of` names what is written whole; within it later changes include earlier ones.
  std::size_t changes(const history& h, std::pair<std::uint64_t, std::uint64_t> of) {
    const auto n = h.versions.size();
    switch (mode_) {
      case loss_mode::all:
        return 0;
      case loss_mode::sectors:
        return some(n);
      case loss_mode::pages: {
        // The page was written at one moment: each of its sectors is as it was then.
        const auto [it, is_new] =
            pages_.try_emplace({of.first, of.second * sector_bytes / page_bytes});
        if (is_new)
          it->second =
              number(1, 10) <= kept_of_ten_ ? UINT64_MAX : number(0, h.versions.back()->number);
        return up_to(h, it->second);
      }
      case loss_mode::prefix:
        return up_to(h, until_);
    }
    return 0;
  }
  // Sizes and names are never torn.
  std::size_t whole(const history& h) {
    const auto n = h.versions.size();
    if (mode_ == loss_mode::all) return 0;
    return mode_ == loss_mode::prefix ? up_to(h, until_) : some(n);
  }

 private:
  std::uint64_t number(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>{low, std::max(low, high)}(rng_);
  }
  std::size_t some(std::size_t n) {
    if (number(1, 10) <= kept_of_ten_) return n;
    return n == 0 ? 0 : static_cast<std::size_t>(number(0, n - 1));
  }
  static std::size_t up_to(const history& h, std::uint64_t last) {
    return static_cast<std::size_t>(
        std::count_if(h.versions.begin(), h.versions.end(),
                      [&](const found_entry* e) { return e->number < last; }));
  }

  loss_mode mode_;
  std::mt19937_64& rng_;
  std::uint64_t until_ = 0;
  std::uint64_t kept_of_ten_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> pages_;
};

std::string folder_of(std::string_view name) {
  return std::string{name.substr(0, name.rfind('/'))};
}

bool is_name(kind k) { return k >= kind::created && k <= kind::renamed_folder; }

class loser {
 public:
  loser(const journal& j, loss_mode mode, std::mt19937_64& rng)
      : journal_{j}, mode_{mode}, rng_{rng}, entries_{j.entries()} {}

  loss_report lose() {
    for (const auto& e : entries_) take(e);
    std::uint64_t first = UINT64_MAX;
    for (const auto& [file, f] : files_) {
      for (const auto& [sector, h] : f.sectors) first = std::min(first, h.versions.front()->number);
    }
    keeper kept{mode_, rng_, first == UINT64_MAX ? 0 : first, entries_.size()};
    for (const auto& [file, f] : files_) take_back(file, f, kept);
    take_back_names(kept);
    return report_;
  }

 private:
  static void forget(history& h, std::uint64_t upto) {
    std::erase_if(h.versions, [&](const found_entry* e) { return e->number <= upto; });
  }

  void forget(file_history& f, const found_entry& e, std::uint64_t from, std::uint64_t to) {
    for (auto it = f.sectors.lower_bound(from); it != f.sectors.end() && it->first < to;) {
      forget(it->second, e.upto);
      it = it->second.versions.empty() ? f.sectors.erase(it) : std::next(it);
    }
  }

  void take(const found_entry& e) {
    auto& f = files_[e.file];
    if (is_name(e.what)) {
      // An entry made and moved in one folder: its names are durable together.
      names_[folder_of(e.payload.substr(0, e.payload.find('\0')))].versions.push_back(&e);
      if (e.what == kind::renamed_folder) follow(e);
      return;
    }
    switch (e.what) {
      case kind::content:
        ++report_.writes;
        [[fallthrough]];
      case kind::mapped:
        for (std::uint64_t at = e.offset; at < e.offset + e.length; at += sector_bytes)
          f.sectors[at / sector_bytes].versions.push_back(&e);
        break;
      case kind::size:
        f.size.versions.push_back(&e);
        break;
      case kind::synced:
        ++report_.syncs;
        forget(f, e, 0, UINT64_MAX);
        forget(f.size, e.upto);
        break;
      case kind::synced_range:
        ++report_.syncs;
        forget(f, e, e.offset / sector_bytes,
               (e.offset + e.length + sector_bytes - 1) / sector_bytes);
        // With what is needed to read it: the size, where it has grown so far.
        if (!f.size.versions.empty() && f.size.versions.front()->offset < e.offset + e.length)
          forget(f.size, e.upto);
        break;
      case kind::synced_folder:
        ++report_.syncs;
        forget(names_[std::string{e.payload}], e.upto);
        break;
      default:
        break;
    }
  }

  // Old and new name of a rename.
  static std::pair<std::string, std::string> both(std::string_view names) {
    const auto middle = names.find('\0');
    return {std::string{names.substr(0, middle)}, std::string{names.substr(middle + 1)}};
  }

  static bool is_in(std::string_view name, std::string_view folder) {
    return name.starts_with(folder) && (name.size() == folder.size() || name[folder.size()] == '/');
  }

  // A folder that has got another name is synced under that.
  void follow(const found_entry& e) {
    const auto [before, after] = both(e.payload);
    std::map<std::string, history> moved;
    for (auto it = names_.begin(); it != names_.end();) {
      if (!is_in(it->first, before)) {
        ++it;
        continue;
      }
      moved[after + it->first.substr(before.size())] = std::move(it->second);
      it = names_.erase(it);
    }
    for (auto& [folder, h] : moved) {
      auto& all = names_[folder].versions;
      all.insert(all.end(), h.versions.begin(), h.versions.end());
    }
  }

  // What an entry's name is called now: folders were renamed since, and stay so.
  std::string called_now(const found_entry& e, std::string name) const {
    for (const auto* r : kept_renames_) {
      const auto [before, after] = both(r->payload);
      if (r->number > e.number && is_in(name, before)) name = after + name.substr(before.size());
    }
    return name;
  }

  void take_back(std::uint64_t file, const file_history& f, keeper& kept) {
    if (f.sectors.empty() && f.size.versions.empty()) return;
    const auto name = journal_.file_name(file);
    const int fd = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
    struct ::stat st {};
    if (fd < 0 || ::fstat(fd, &st) != 0) die(name);
    for (const auto& [sector, h] : f.sectors) {
      const bool written = h.versions.back()->what == kind::content;
      if (written) ++report_.unsynced;
      const auto n = kept.changes(h, {file, sector});
      if (n == h.versions.size()) continue;
      if (written) ++report_.lost;
      const auto& before = *h.versions[n];
      const auto at = sector * sector_bytes;
      const auto piece = before.payload.substr(at - before.offset, sector_bytes);
      if (::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(at)) !=
          static_cast<ssize_t>(piece.size()))
        die(name);
    }
    // What was put back behind the end goes again.
    auto size = static_cast<std::uint64_t>(st.st_size);
    const auto& sizes = f.size.versions;
    if (const auto n = kept.whole(f.size); n < sizes.size()) size = sizes[n]->offset;
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0) die(name);
    ::close(fd);
  }

  void take_back_names(keeper& kept) {
    std::vector<const found_entry*> lost;
    for (const auto& [folder, h] : names_) {
      if (h.versions.empty()) continue;
      const auto n = static_cast<std::ptrdiff_t>(kept.whole(h));
      lost.insert(lost.end(), h.versions.begin() + n, h.versions.end());
    }
    for (const auto& e : entries_) {
      if (e.what == kind::renamed_folder &&
          std::none_of(lost.begin(), lost.end(), [&](const found_entry* l) { return l == &e; }))
        kept_renames_.push_back(&e);
    }
    std::sort(lost.begin(), lost.end(),
              [](const found_entry* a, const found_entry* b) { return a->number > b->number; });
    for (const auto* e : lost) take_back_name(*e);
    report_.lost_names += lost.size();
  }

  // Whatever the name is in: it may have gone with a folder that was lost.
  void put_back(std::uint64_t file, const std::string& name) const {
    if (::link(journal_.file_name(file).c_str(), name.c_str()) != 0 && errno != ENOENT) die(name);
  }

  void take_back_name(const found_entry& e) const {
    const auto name = called_now(e, std::string{e.payload.substr(0, e.payload.find('\0'))});
    std::error_code ignored;
    switch (e.what) {
      case kind::created:
        ::unlink(name.c_str());
        break;
      case kind::renamed: {
        const auto after = called_now(e, both(e.payload).second);
        ::unlink(after.c_str());
        put_back(e.file, name);
        if (e.offset != 0) put_back(e.offset, after);
        break;
      }
      case kind::renamed_folder: {
        const auto after = called_now(e, both(e.payload).second);
        std::filesystem::rename(after, name, ignored);
        if (e.offset != 0) std::filesystem::create_directory(after, ignored);
        break;
      }
      case kind::removed:
        put_back(e.file, name);
        break;
      case kind::made_folder:
        std::filesystem::remove_all(name, ignored);
        break;
      case kind::removed_folder:
        std::filesystem::create_directory(name, ignored);
        break;
      default:
        break;
    }
  }

  const journal& journal_;
  loss_mode mode_;
  std::mt19937_64& rng_;
  std::vector<found_entry> entries_;
  std::map<std::uint64_t, file_history> files_;
  std::map<std::string, history> names_;          // by folder
  std::vector<const found_entry*> kept_renames_;  // of folders
  loss_report report_;
};

}  // namespace

std::string_view name_of(loss_mode mode) {
  switch (mode) {
    case loss_mode::all:
      return "all";
    case loss_mode::sectors:
      return "sectors";
    case loss_mode::pages:
      return "pages";
    case loss_mode::prefix:
      return "prefix";
  }
  return "?";
}

power_supply::power_supply(std::filesystem::path journal,
                           const std::vector<std::filesystem::path>& watched)
    : journal_{std::move(journal)} {
  std::filesystem::remove_all(journal_);
  for (const auto& w : watched) {
    if (!watched_.empty()) watched_ += ':';
    watched_ += w.string();
  }
}

std::vector<std::string> power_supply::environment() const {
  return {"LD_PRELOAD=" +
              (std::filesystem::path{test_paths::binary_dir} / "tests/crash/libkappa_power_shim.so")
                  .string(),
          "KAPPA_POWER_JOURNAL=" + journal_.string(), "KAPPA_POWER_FOLDERS=" + watched_};
}

std::uint64_t power_supply::steps() const { return journal{journal_.string()}.steps(); }

loss_report power_supply::lose(loss_mode mode, std::mt19937_64& rng) {
  journal j{journal_.string()};
  const auto report = loser{j, mode, rng}.lose();
  j.clear();
  return report;
}

}  // namespace kappa::crash::power
