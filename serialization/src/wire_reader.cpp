#include "kappa/serialization/wire_reader.hpp"

namespace kappa::wire {

std::string source::problem() const {
  if (!problem_) return {};
  if (!failed_field_) return problem_;
  return std::string{failed_field_} + ": " + problem_;
}

const char* pointer_view::target(std::uint64_t pointer, std::uint64_t words) const {
  const auto here = static_cast<std::int64_t>((at_ - in_->begin()) / 8);
  const auto distance = static_cast<std::int32_t>(static_cast<std::uint32_t>(pointer)) >> 2;
  const auto to = here + 1 + distance;
  const auto end = static_cast<std::int64_t>(in_->words());
  if (to < 0 || to > end || words > static_cast<std::uint64_t>(end - to)) {
    in_->fail("a pointer leads out of the message");
    return nullptr;
  }
  return in_->begin() + to * 8;
}

bool pointer_view::open(struct_view& out) const {
  if (!in_->ok() || null()) return false;
  const auto pointer = load();
  if ((pointer & 3) != 0) {
    in_->fail((pointer & 3) == 1 ? "expected a struct, found a list"
                                 : "expected a struct, found a far pointer or capability");
    return false;
  }
  if (nesting_ <= 0) {
    in_->fail("it is nested too deeply");
    return false;
  }
  const auto data = static_cast<std::uint16_t>(pointer >> 32);
  const auto pointers = static_cast<std::uint16_t>(pointer >> 48);
  const auto words = std::uint64_t{data} + pointers;
  const auto* const at = target(pointer, words);
  // An empty struct is charged too: lists of them must not be a way around the limit.
  if (!at || !in_->charge(words == 0 ? 1 : words)) return false;
  out = struct_view{*in_,     at,          std::uint64_t{data} * 64, at + std::size_t{data} * 8,
                    pointers, nesting_ - 1};
  return true;
}

bool pointer_view::open(list_view& out) const {
  if (!in_->ok() || null()) return false;
  const auto pointer = load();
  if ((pointer & 3) != 1) {
    in_->fail((pointer & 3) == 0 ? "expected a list, found a struct"
                                 : "expected a list, found a far pointer or capability");
    return false;
  }
  if (nesting_ <= 0) {
    in_->fail("it is nested too deeply");
    return false;
  }
  const auto kind = static_cast<element_size>(pointer >> 32 & 7);
  const auto count = pointer >> 35;
  out = list_view{};
  out.in_ = in_;
  out.kind_ = kind;
  out.nesting_ = nesting_ - 1;

  if (kind == element_size::composite) {
    const auto* const tag_at = target(pointer, count + 1);
    if (!tag_at || !in_->charge(count + 1)) return false;
    std::uint64_t tag = 0;
    std::memcpy(&tag, tag_at, 8);
    const auto elements = (tag & 0xffffffffU) >> 2;
    const auto data = static_cast<std::uint16_t>(tag >> 32);
    const auto pointers = static_cast<std::uint16_t>(tag >> 48);
    const auto words = std::uint64_t{data} + pointers;
    if ((tag & 3) != 0 || elements * words > count) {
      in_->fail("a list of structs is malformed");
      return false;
    }
    if (words == 0 && !in_->charge(elements)) return false;
    out.at_ = tag_at + 8;
    out.count_ = static_cast<std::size_t>(elements);
    out.step_ = static_cast<std::size_t>(words) * 8;
    out.data_bits_ = std::uint64_t{data} * 64;
    out.pointer_count_ = pointers;
    return true;
  }

  constexpr std::uint64_t data_bits[] = {0, 1, 8, 16, 32, 64, 0};
  const auto index = static_cast<unsigned>(kind);
  const auto bits = kind == element_size::pointer ? 64 : data_bits[index];
  const auto words = (count * bits + 63) / 64;
  out.at_ = target(pointer, words);
  if (!out.at_ || !in_->charge(kind == element_size::nothing ? count : words)) return false;
  out.count_ = static_cast<std::size_t>(count);
  out.step_ = static_cast<std::size_t>(bits / 8);
  out.data_bits_ = data_bits[index];
  out.pointer_count_ = kind == element_size::pointer ? 1 : 0;
  return true;
}

bool pointer_view::bytes_of(bytes_view& out, bool text) const {
  if (!in_->ok() || null()) return false;
  const auto pointer = load();
  if ((pointer & 3) != 1 || static_cast<element_size>(pointer >> 32 & 7) != element_size::byte) {
    in_->fail(text ? "expected a text" : "expected data");
    return false;
  }
  const auto size = pointer >> 35;
  const auto words = (size + 7) / 8;
  const auto* const at = target(pointer, words);
  if (!at || !in_->charge(words)) return false;
  if (text && (size == 0 || at[size - 1] != '\0')) {
    in_->fail("the text does not end with NUL");
    return false;
  }
  out = bytes_view{at, static_cast<std::size_t>(text ? size - 1 : size)};
  return true;
}

bool pointer_view::walk() const {
  if (!in_->ok()) return false;
  if (null()) return true;
  struct_view inner;
  if ((load() & 3) == 0) {
    if (!open(inner)) return false;
    for (std::uint32_t i = 0; i < inner.pointer_count(); ++i) {
      if (!inner.pointer(i, nullptr).walk()) return false;
    }
    return true;
  }
  list_view list;
  if (!open(list)) return false;
  // Without pointers there is nothing below: not a step for each of a million numbers.
  for (std::size_t i = 0; list.pointer_count_ > 0 && i < list.size(); ++i) {
    if (list.kind_ == element_size::pointer) {
      if (!list.pointer(i).walk()) return false;
      continue;
    }
    if (!list.element(i, inner)) return false;
    for (std::uint32_t p = 0; p < inner.pointer_count(); ++p) {
      if (!inner.pointer(p, nullptr).walk()) return false;
    }
  }
  return true;
}

bool well_formed(bytes_view message, std::string& problem) {
  source in{message};
  if (in.ok()) {
    const pointer_view root{in, in.begin(), max_nesting};
    if (root.null()) in.fail("the root is null");
    if (in.ok() && !root.walk() && in.ok()) in.fail("malformed");
  }
  problem = in.problem();
  return in.ok();
}

}  // namespace kappa::wire
