// A log's file, damaged at places and in ways that the input says: the check and the salvage end,
// and what is salvaged is sound.

#include <filesystem>
#include <fstream>
#include <iterator>

#include <unistd.h>

#include "fuzz/fuzz.hpp"
#include "kappa/log/check.hpp"
#include "kappa/log/embedded_log.hpp"
#include "kappa/log/open_log.hpp"
#include "kappa/log/salvage.hpp"

namespace kappa::fuzz {
namespace {

class log_file {
 public:
  log_file()
      : folder_{std::filesystem::temp_directory_path() /
                ("kappa-fuzz-" + std::to_string(::getpid()))} {
    std::filesystem::remove_all(folder_);
    make();
    std::ifstream file{from() / "data.mdb", std::ios::binary};
    sound_.assign(std::istreambuf_iterator<char>{file}, {});
  }
  ~log_file() { std::filesystem::remove_all(folder_); }
  log_file(const log_file&) = delete;
  log_file& operator=(const log_file&) = delete;

  [[nodiscard]] const bytes& sound() const { return sound_; }
  [[nodiscard]] std::filesystem::path from() const { return folder_ / "from"; }
  [[nodiscard]] std::filesystem::path to() const { return folder_ / "to"; }

  void damage(const bytes& content) const {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(from());
    std::ofstream{from() / "data.mdb", std::ios::binary} << content;
  }

 private:
  void make() const {
    const auto log = open_log({"lmdb:" + from().string(), 1024});
    expect(log.has_value(), "a log is made");
    for (const auto* topic : {"orders", "bills"}) {
      expect((*log)->create_topic({.name = topic, .partitions = 2}).has_value(), "a topic is made");
      for (std::int32_t p = 0; p < 2; ++p) {
        for (int i = 0; i < 12; ++i) {
          record_batch batch;
          for (int j = 0; j < 5; ++j)
            batch.add(timestamp{milliseconds{i * 5 + j}}, "key",
                      bytes(80 * static_cast<std::size_t>(j), 'v'));
          expect((*log)->append({topic, partition{p}}, batch).has_value(), "records are appended");
        }
      }
    }
  }

  std::filesystem::path folder_;
  bytes sound_;
};

}  // namespace

void pages(bytes_view in) {
  static const log_file file;
  bytes content = file.sound();
  script s{in};
  const auto first = s.byte();
  if (first % 8 == 0) content.resize(content.size() * s.byte() / 256);
  while (s.more() && !content.empty()) {
    const auto at =
        (std::size_t{s.byte()} << 16 | std::size_t{s.byte()} << 8 | s.byte()) % content.size();
    content[at] = static_cast<char>(content[at] ^ s.byte());
  }
  file.damage(content);
  const auto checked = check_log({.folder = file.from()});
  if (content == file.sound()) expect(checked && checked->healthy(), "a sound log is called so");
  const auto saved = salvage_log({.from = file.from(), .to = file.to()});
  if (!saved) {
    expect(!saved.error().message.empty(), "why not is said");
    return;
  }
  const auto again = check_log({.folder = file.to()});
  expect(again && again->healthy(), "what is salvaged is sound");
  if (content == file.sound()) expect(saved->complete(), "of a sound log nothing is missing");
}

}  // namespace kappa::fuzz
