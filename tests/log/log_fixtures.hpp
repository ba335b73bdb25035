// Logs for tests, each in a folder of its own.
#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "kappa/log/embedded_log.hpp"
#include "kappa/log/memory_log.hpp"
#include "log/contract.hpp"
#include "support/temporary_folder.hpp"

namespace log_contract {

using kappa::test::temporary_folder;

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
