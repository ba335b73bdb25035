#include "report.hpp"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace bench {
namespace {

std::string aim_text(const row& r) {
  if (r.kind == aim_kind::none) return "";
  return fmt::format("{} {:g} {}", r.kind == aim_kind::at_least ? "≥" : "≤", r.aim, r.unit);
}

std::string number(double v) {
  if (v >= 100) return fmt::format("{:.0f}", v);
  return fmt::format("{:.3g}", v);
}

std::string reached_text(const row& r) {
  if (r.least == r.most) return fmt::format("{} {}", number(r.reached), r.unit);
  return fmt::format("{} {} ({}–{})", number(r.reached), r.unit, number(r.least), number(r.most));
}

/// Characters, not bytes.
std::size_t width(const std::string& s) {
  std::size_t n = 0;
  for (const char c : s) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

std::string padded(const std::string& s, std::size_t to) {
  const auto w = width(s);
  return w < to ? s + std::string(to - w, ' ') : s;
}

std::string first_line_with(const std::string& file, const std::string& name) {
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const auto colon = line.find(':');
    return colon == std::string::npos ? line : line.substr(std::min(colon + 2, line.size()));
  }
  return "unknown";
}

std::string name_of_file_system(const std::string& folder) {
  struct ::statfs s {};
  if (::statfs(folder.c_str(), &s) != 0) return "unknown";
  switch (static_cast<unsigned long>(s.f_type)) {
    case 0xef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x794c7630:
      return "overlay";
    default:
      return fmt::format("type {:#x}", static_cast<unsigned long>(s.f_type));
  }
}

}  // namespace

std::string report::text() const {
  std::vector<std::vector<std::string>> lines{
      {"", "aim", "reached (least–most)", "", "by CPU time", "limit"}};
  for (const auto& r : rows_) {
    lines.push_back({r.benchmark + ": " + r.what, aim_text(r), reached_text(r),
                     r.missed() ? "missed" : "",
                     r.by_cpu_time ? fmt::format("{:.3g} %", *r.by_cpu_time) : "", r.figures});
  }
  std::vector<std::size_t> widths(lines.front().size());
  for (const auto& l : lines) {
    for (std::size_t i = 0; i < l.size(); ++i) widths[i] = std::max(widths[i], width(l[i]));
  }
  std::string out;
  for (const auto& l : lines) {
    std::string line;
    for (std::size_t i = 0; i < l.size(); ++i) line += padded(l[i], widths[i]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string report::json(const machine& m) const {
  boost::json::array rows;
  for (const auto& r : rows_) {
    boost::json::object o;
    o["benchmark"] = r.benchmark;
    o["what"] = r.what;
    if (r.kind != aim_kind::none) {
      o["aim"] = r.aim;
      o["aim_is"] = r.kind == aim_kind::at_least ? "at least" : "at most";
      o["missed"] = r.missed();
    }
    o["reached"] = r.reached;
    o["least"] = r.least;
    o["most"] = r.most;
    o["unit"] = r.unit;
    o["limit"] = r.figures;
    if (r.by_cpu_time) o["by_cpu_time_percent"] = *r.by_cpu_time;
    rows.push_back(std::move(o));
  }
  boost::json::object all;
  all["machine"] = boost::json::object{{"processor", m.processor},   {"cores", m.cores},
                                       {"memory_gib", m.memory_gib}, {"kernel", m.kernel},
                                       {"build", m.build},           {"file_system", m.file_system},
                                       {"load_at_start", m.load}};
  all["rows"] = std::move(rows);
  return boost::json::serialize(all);
}

machine machine::look(const std::string& folder) {
  machine m;
  m.processor = first_line_with("/proc/cpuinfo", "model name");
  m.cores = std::thread::hardware_concurrency();
  struct ::sysinfo info {};
  if (::sysinfo(&info) == 0) {
    m.memory_gib = double(info.totalram) * info.mem_unit / double(1ULL << 30);
  }
  struct ::utsname name {};
  if (::uname(&name) == 0) m.kernel = fmt::format("{} {}", name.sysname, name.release);
  double load[1] = {0};
  if (::getloadavg(load, 1) == 1) m.load = load[0];
  m.file_system = name_of_file_system(folder);
#ifdef NDEBUG
  m.build = "optimized, without assertions";
#else
  m.build = "with assertions";
#endif
  return m;
}

std::string machine::text() const {
  return fmt::format("{}, {} cores, {:.0f} GiB, {}, {}; load {:.2f} at the start; {}", processor,
                     cores, memory_gib, kernel, file_system, load, build);
}

}  // namespace bench
