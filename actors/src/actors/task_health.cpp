#include "kappa/actors/host.hpp"

namespace kappa {

std::string_view name_of(task_health h) {
  switch (h) {
    case task_health::starting:
      return "starting";
    case task_health::running:
      return "running";
    case task_health::backing_off:
      return "backing off";
    case task_health::quarantined:
      return "quarantined";
    case task_health::finished:
      return "finished";
    case task_health::stopped:
      return "stopped";
    case task_health::elsewhere:
      return "elsewhere";
  }
  return "unknown";
}

}  // namespace kappa
