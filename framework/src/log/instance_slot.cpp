#include "kappa/log/instance_slot.hpp"

#include <fmt/format.h>

#include "kappa/core/folders.hpp"
#include "log/app_lock.hpp"
#include "log/log_rules.hpp"

namespace kappa {

namespace {
constexpr int most_slots = 1000;
constexpr const char* lock_name = "slot";
}  // namespace

struct instance_slot::lock {
  detail::app_lock held;
};

instance_slot::instance_slot(std::filesystem::path folder, std::unique_ptr<lock> held)
    : folder_{std::move(folder)}, held_{std::move(held)} {}
instance_slot::instance_slot(instance_slot&&) noexcept = default;
instance_slot& instance_slot::operator=(instance_slot&&) noexcept = default;
instance_slot::~instance_slot() = default;

result<instance_slot> instance_slot::take(const std::filesystem::path& state,
                                          const std::string& who, const std::string& name) {
  if (!name.empty()) {
    if (auto good = detail::check_app(name); !good) return fail(good.error());
  }
  for (int n = 1; n <= most_slots; ++n) {
    const auto folder = state / (name.empty() ? fmt::format("slot-{}", n) : name);
    if (auto made = make_folders(folder); !made) return fail(made.error());
    auto taken = detail::app_lock::take(folder, lock_name, who);
    if (taken) return instance_slot{folder, std::unique_ptr<lock>{new lock{std::move(*taken)}}};
    if (taken.error().code != errc::owned || !name.empty()) return fail(taken.error());
  }
  return fail(errc::owned, state.string(),
              fmt::format("{} processes have their state here already", most_slots));
}

}  // namespace kappa
