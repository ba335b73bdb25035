#include "load.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "bank_app.hpp"

namespace bank {
namespace {

struct wish {
  std::string key;
  std::variant<open_account, start_transfer> command;
  kappa::ask_options options;
  std::optional<std::string> first_answer;  // it is asked although it was answered
};

// Without what may differ: where in the log.
std::string text_of(const kappa::ask_result& answer) {
  if (answer) return fmt::format("version {}, {} events", answer->version, answer->events);
  return answer.error().text();
}

class load {
 public:
  load(kappa::aggregate_asker& asker, const load_options& options,
       const std::function<void(std::uint64_t)>& progress)
      : asker_{asker}, options_{options}, progress_{progress}, dice_{options.seed} {}

  kappa::result<load_result> run() {
    for (std::uint64_t n = 0; n < options_.accounts; ++n) {
      if (!ask({account_name(n), open_account{options_.deposit_cents}, named(), {}})) break;
    }
    wait_for_all();
    for (std::uint64_t n = 0; n < options_.transfers; ++n) {
      if (!ask({fmt::format("t-{}-{}", options_.seed, n), any_transfer(), named(), {}})) break;
    }
    wait_for_all();
    const std::lock_guard lock{mutex_};
    if (failed_) return kappa::fail(*failed_);
    return std::move(result_);
  }

 private:
  static kappa::ask_options named() {
    return {.id = kappa::new_command_id(), .timeout = std::chrono::seconds{30}};
  }
  start_transfer any_transfer() {
    const auto from = dice_() % options_.accounts;
    const auto other = 1 + dice_() % (options_.accounts - 1);
    // Some are of more than anybody has, some to nobody.
    const auto most = dice_() % 20 == 0 ? 10 * options_.deposit_cents : options_.deposit_cents / 10;
    const auto cents = 1 + static_cast<std::int64_t>(dice_() % static_cast<std::uint64_t>(most));
    const bool to_nobody = dice_() % 50 == 0;
    return {account_name(from),
            to_nobody ? "nobody" : account_name((from + other) % options_.accounts), cents};
  }

  // False: it is of no use to go on.
  bool ask(wish w) {
    if (!wait_for_fewer_than(options_.in_flight)) return false;
    {
      const std::lock_guard lock{mutex_};
      ++in_flight_;
    }
    send(std::move(w));
    return true;
  }

  void wait_for_all() {
    (void)wait_for_fewer_than(1);
    std::unique_lock lock{mutex_};  // whoever still answers refers to this
    less_.wait(lock, [&] { return on_the_way_ == 0; });
  }

  // Asks again meanwhile. False: it failed.
  bool wait_for_fewer_than(std::size_t limit) {
    for (;;) {
      std::deque<wish> again;
      {
        std::unique_lock lock{mutex_};
        less_.wait(lock, [&] { return in_flight_ < limit || !again_.empty() || failed_; });
        if (failed_) return false;
        if (again_.empty()) return true;
        again.swap(again_);
      }
      const bool unanswered =
          std::any_of(again.begin(), again.end(), [](const wish& w) { return !w.first_answer; });
      if (unanswered) std::this_thread::sleep_for(std::chrono::milliseconds{20});
      for (auto& w : again) send(std::move(w));
    }
  }

  void send(wish w) {
    {
      const std::lock_guard lock{mutex_};
      ++on_the_way_;
    }
    auto shared = std::make_shared<wish>(std::move(w));
    const auto answered = [this, shared](kappa::ask_result r) { come(std::move(*shared), r); };
    std::visit(
        [&]<class C>(const C& command) {
          using asked = std::conditional_t<std::is_same_v<C, open_account>, account, transfer>;
          asker_.ask<asked>(shared->key, command, shared->options, answered);
        },
        shared->command);
  }

  // On a thread of the asker's.
  void come(wish w, const kappa::ask_result& answer) {
    const std::lock_guard lock{mutex_};
    --on_the_way_;
    less_.notify_all();
    if (!answer && answer.error().may_be_asked_again()) {
      ++result_.asked_again;
      again_.push_back(std::move(w));
      return;
    }
    if (!answer && answer.error().failed()) {
      if (!failed_) failed_ = *answer.error().failed();
      return;
    }
    auto said = text_of(answer);
    if (w.first_answer && *w.first_answer != said && result_.findings.size() < 20) {
      result_.findings.push_back(fmt::format("{}: first \"{}\", asked again by the same id \"{}\"",
                                             w.key, *w.first_answer, said));
    }
    if (!w.first_answer && std::holds_alternative<start_transfer>(w.command)) {
      if (answer) {
        result_.started.push_back(w.key);
      } else {
        ++result_.rejected;
      }
      ++answered_;
      if (progress_ && answered_ % 1000 == 0) progress_(answered_);
    }
    if (!w.first_answer && ++answers_ % 32 == 0) {
      ++result_.repeated;
      w.first_answer = std::move(said);
      again_.push_back(std::move(w));
      return;
    }
    --in_flight_;
  }

  kappa::aggregate_asker& asker_;
  const load_options options_;
  const std::function<void(std::uint64_t)> progress_;
  std::mt19937_64 dice_;

  std::mutex mutex_;
  std::condition_variable less_;
  std::size_t in_flight_ = 0;   // wishes without an end
  std::size_t on_the_way_ = 0;  // of them, asked and not answered
  std::uint64_t answered_ = 0;
  std::uint64_t answers_ = 0;
  std::deque<wish> again_;
  std::optional<kappa::error> failed_;
  load_result result_;
};

}  // namespace

kappa::result<load_result> run_load(kappa::aggregate_asker& asker, const load_options& options,
                                    const std::function<void(std::uint64_t)>& progress) {
  if (options.accounts < 2)
    return kappa::fail(kappa::errc::bad_config, "accounts", "there must be two at least");
  return load{asker, options, progress}.run();
}

}  // namespace bank
