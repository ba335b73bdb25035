#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "kappa/keys/key_store.hpp"
#include "output.hpp"

namespace kappa::tools {
namespace {

struct erase_arguments {
  std::string subject;
  std::string keys;
};

const char* text_of(erasure e) {
  switch (e) {
    case erasure::done:
      return "its key is deleted";
    case erasure::was_before:
      return "its key had been deleted before";
    case erasure::had_no_key:
      return "it had no key; nothing personal of it can be stored from now on";
  }
  return "";
}

int erase(const erase_arguments& a) {
  if (auto good = check_subject(a.subject); !good) return complain(good.error(), exit_usage);
  // Opening makes a file that is not there, and an erasure in it would erase nothing.
  constexpr std::string_view file = "file:";
  if (a.keys.starts_with(file) && !std::filesystem::exists(a.keys.substr(file.size()))) {
    return complain({errc::not_found, a.keys, "there is no such key store"}, exit_refused);
  }
  const auto store = open_key_store(a.keys);
  if (!store) {
    auto e = store.error();
    if (e.code == errc::owned)
      e.message += ": let it erase the subject (host.erase_subject), or stop it first";
    return complain(e, e.code == errc::bad_config ? exit_usage : exit_refused);
  }
  const auto done = (*store)->erase(a.subject);
  if (!done) return complain(done.error());
  const bool said = put(fmt::format("{}: {}\n", a.subject, text_of(*done)));
  return said && *done != erasure::had_no_key ? exit_done : exit_failed;
}

}  // namespace

void add_erase_subject(command_line& line) {
  auto a = std::make_shared<erase_arguments>();
  auto& exit_code = line.exit_code();
  auto* const cli = line.root().add_subcommand(
      "erase-subject", "Delete the key of a person's data, which nobody can read from then on");
  cli->add_option("SUBJECT", a->subject, "Whose data: the aggregate's key, or what the schema says")
      ->required();
  cli->add_option("--keys", a->keys, "The key store: file:PATH or postgresql://HOST/DATABASE")
      ->required();
  cli->footer(
      "It cannot be undone. A key in a file is deleted by the program that has it open, or while "
      "it is\nstopped; one in PostgreSQL from anywhere, and processes forget it within 30 s.");
  cli->callback([a, &exit_code] { exit_code = erase(*a); });
}

}  // namespace kappa::tools
