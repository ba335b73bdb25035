// A log to be damaged and salvaged, and what must be said of the copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "kappa/log/salvage.hpp"
#include "log/damage_support.hpp"

namespace log_contract {

/// A copy of the rich log to spoil, its original content, and what lies in which page of it.
struct salvage_case {
  salvage_case()
      : content{read_content(rich_log())}, healthy{file_content(rich_log() / "data.mdb")} {
    copy_log(rich_log(), from);
    find_places();
  }

  [[nodiscard]] std::filesystem::path data() const { return from / "data.mdb"; }
  void heal() const {
    std::filesystem::resize_file(data(), healthy.size());
    overwrite(data(), 0, healthy);
  }
  result<salvage_report> salvage() {
    std::filesystem::remove_all(to);
    salvage_options options;
    options.from = from;
    options.to = to;
    options.log_id = content.id;
    return salvage_log(options);
  }

  /// Checks a salvage against the original; `what` names the damage. Records of `may_lose` alone
  /// may be gone.
  void verify(const salvage_report& report, const std::string& what,
              const std::function<bool(const topic_partition&, std::int64_t)>& may_lose);
  /// Only what lies in that page.
  [[nodiscard]] auto only_of_page(lmdb::page_number page) const {
    return [this, page](const topic_partition& where, std::int64_t n) {
      const auto frames = places.find(page);
      if (frames == places.end()) return false;
      for (const auto& [tp, first, last] : frames->second) {
        if (tp == where && first <= n && n <= last) return true;
      }
      return false;
    };
  }

  temporary_folder folder;
  std::filesystem::path from = folder.path() / "from";
  std::filesystem::path to = folder.path() / "to";
  log_content content;
  std::string healthy;
  std::map<lmdb::page_number, std::vector<std::tuple<topic_partition, std::int64_t, std::int64_t>>>
      places;

 private:
  void find_places();
};

[[nodiscard]] bool listed(const salvage_report& report, const topic_partition& where,
                          std::int64_t n);
[[nodiscard]] bool loss_names(const salvage_report& report, const std::string& name);

}  // namespace log_contract
