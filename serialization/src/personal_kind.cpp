// Personal fields as text for people and as JSON.
#include "kappa/serialization/kinds.hpp"

namespace kappa::wire {

void print_personal(std::string& out, const personal& v) {
  if (v.empty()) {
    out.append("(empty)");
  } else {
    out.append(v.erased() ? "(erased)" : "(personal)");
  }
}

void personal_to_json(json_writer& out, const personal& v, bool text) {
  if (v.shown() && v.erased()) return out.null();
  if (v.empty() || (v.shown() && v.text() != nullptr)) {
    if (text) return out.text(*v.text());
    return out.base64(*v.text());
  }
  out.begin_object();
  out.member("sealed");
  out.base64(v.stored());
  out.end_object();
}

void personal_from_json(const json_view& in, personal& v, bool text) {
  std::string plain;
  std::string_view any;
  if (in.peek_text(any)) {
    if (text ? in.get(plain) : in.get_base64(plain)) v = personal{std::move(plain)};
    return;
  }
  bytes sealed;
  const auto read = [&](const json_view& member) {
    if (!member.get_base64(sealed)) return;
    if (personal::is_stored_form(sealed)) {
      v = personal::from_stored(sealed);
    } else {
      member.fail("it is not sealed");
    }
  };
  if (in.is_object() && !in.member("sealed", read)) in.fail("expected a text");
}

}  // namespace kappa::wire
