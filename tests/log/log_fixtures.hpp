// Logs for tests, each in a folder of its own.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "kappa/log/embedded_log.hpp"
#include "kappa/log/memory_log.hpp"
#include "log/contract.hpp"

namespace log_contract {

class temporary_folder {
 public:
  temporary_folder() {
    auto name = (std::filesystem::temp_directory_path() / "kappa-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"cannot make " + name};
    path_ = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class memory_fixture final : public fixture {
 public:
  event_log& log() override { return *log_; }
  void reopen() override {}  // the memory is the log
  void lose_lock(const std::string& app) override { log_->lose_lock(app); }

 private:
  std::shared_ptr<memory_log> log_ = memory_log::create();
};

class embedded_fixture final : public fixture {
 public:
  explicit embedded_fixture(std::size_t frame_bytes = 64 << 10) {
    options_.folder = folder_.path() / "log";
    options_.frame_bytes = frame_bytes;
    reopen();
  }
  event_log& log() override { return *log_; }
  void reopen() override {
    log_.reset();
    log_ = must(open_embedded_log(options_));
  }
  void lose_lock(const std::string& app) override {
    // The lock is on the file, not on its name.
    std::filesystem::remove(options_.folder / "apps" / (app + ".lock"));
  }

 private:
  temporary_folder folder_;
  embedded_log_options options_;
  std::shared_ptr<event_log> log_;
};

}  // namespace log_contract
