// Command lines and configuration files: refused with 2, or taken; nothing is started.

#include <vector>

#include "fuzz/fuzz.hpp"
#include "fuzz/memory_file.hpp"
#include "kappa/actors/run.hpp"

namespace kappa::fuzz {
namespace {

constexpr int refused = 2;

void run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "app");
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(a.data());
  runner r{"app", "an app"};
  double own = 1;
  r.option("--own", own, "an option of the program's own");
  runner::hooks hooks;
  hooks.check = [&] { return result<void>{fail(errc::bad_config, "fuzz", "far enough")}; };
  const auto code = r.run(
      static_cast<int>(argv.size()), argv.data(), [] { return app{"app"}; }, hooks);
  expect(code == refused || code == 0, "a command line is refused, or help is given");
}

}  // namespace

void config(bytes_view in) {
  script s{in};
  if (s.byte() % 2 == 0) {
    const memory_file f{s.rest()};
    return run({"--config", f.path()});
  }
  std::vector<std::string> arguments;
  while (s.more() && arguments.size() < 16) {
    const auto rest = s.rest();
    const auto end = rest.find('\n');
    // An argument cannot hold a zero; a configuration file of this machine is none of the fuzzer's.
    std::string a{rest.substr(0, std::min(end, rest.find('\0')))};
    if (!a.starts_with("--config")) arguments.push_back(std::move(a));
    s = script{end == bytes_view::npos ? bytes_view{} : rest.substr(end + 1)};
  }
  run(std::move(arguments));
}

}  // namespace kappa::fuzz
