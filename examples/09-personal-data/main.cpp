// One new idea: personal data, encrypted with a key of each person, which can be deleted.
//
//   ./personal_data FOLDER ada ada@example.org      changes the e-mail address
//   ./personal_data FOLDER ada                      shows it
//   ./personal_data FOLDER ada --erase              deletes her key: nobody can read it any more
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "contact.hpp"

namespace {

int complain(const std::string& what) {
  fmt::print(stderr, "error: {}\n", what);
  return 1;
}

int show(kappa::host& host, const std::string& name) {
  auto found = host.query<contact>(name);
  while (!found && found.error().retriable) found = host.query<contact>(name);  // it replays
  if (!found) return complain(found.error().text());
  if (!found->value) return complain("nobody knows " + name);
  // [read]
  const auto& email = found->value->state.email;
  fmt::print("{}: {}\n", name, email.text_or(email.erased() ? "(erased)" : "(none)"));
  // [/read]
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    fmt::print(stderr, "usage: {} FOLDER NAME [EMAIL | --erase]\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const std::string name = argv[2];
  const std::string what = argc > 3 ? argv[3] : "";
  // [host]
  kappa::host host{contacts_app(),
                   {.log = "lmdb:" + folder + "/log",
                    .state = folder + "/state",
                    .keys = "file:" + folder + "/keys"}};
  // [/host]
  if (auto started = host.start(); !started) return complain(started.error().text());
  if (what == "--erase") {
    // [erase]
    if (auto erased = host.erase_subject(name); !erased) return complain(erased.error().text());
    // [/erase]
  } else if (!what.empty()) {
    if (auto done = host.ask<contact>(name, change_email{what}); !done)
      return complain(done.error().text());
  }
  if (const auto failed = show(host, name); failed != 0) return failed;
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error().text());
  return 0;
}
