// Cap'n Proto's own readers over a record's bytes: nothing is copied or decoded before it is asked
// for. For large values of which little is read; a small event is decoded sooner than it is checked
// (docs/decisions/0010). The one header of Kappa that names Cap'n Proto's types.
//
//   kappa_add_schema(flights flights.capnp READERS)                # flights.capnp.h besides
//
//   app.stream<kappa::reader_of<Flight>>("flights", …)
//       .filter("late", [](const auto& f) { return f->getDelay() > 60; })
//
// The bytes are those of the generated struct's codec (canonical form, no segment table): both read
// what the other wrote.
//
// decode() checks once that every pointer leads to what it says (bounds, traversal and nesting
// limits), so that reading needs no checks and no limit that repeated getters use up. What it
// cannot know is whether a pointer is of the type that a getter expects, or a text ends with NUL:
// such a getter throws a kj::Exception, which is a std::exception. At the task's boundary that is a
// failed record like any other; `read` makes it an errc::decode.
//
// Ownership: a reader views the bytes it was decoded from, as long as they live (a record's bytes:
// until its step ends). `own()` keeps a copy. Unaligned bytes are copied at once.
// Threading: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <capnp/message.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/serialization/wire_reader.hpp"

namespace kappa {

template <class Schema>
class reader_of {
 public:
  using reader = typename Schema::Reader;
  using builder = typename Schema::Builder;

  /// Checks the bytes; errc::decode when they are not a message.
  [[nodiscard]] static result<reader_of> over(bytes_view in) {
    std::string problem;
    if (!wire::well_formed(in, problem))
      return fail(errc::decode, schema_name(), std::move(problem));
    reader_of out;
    if (reinterpret_cast<std::uintptr_t>(in.data()) % alignof(std::uint64_t) == 0) {
      out.view_ = in;
    } else {
      out.copy(in);
    }
    return out;
  }

  /// A new value: `fill` gets the builder.
  template <class F>
  [[nodiscard]] static reader_of build(F&& fill) {
    ::capnp::MallocMessageBuilder message;
    std::forward<F>(fill)(message.template initRoot<Schema>());
    const auto root = message.template getRoot<Schema>().asReader();
    const auto canonical = ::capnp::canonicalize(root);
    reader_of out;
    out.copy(canonical.asBytes());
    std::string problem;
    if (wire::well_formed(out.view_, problem)) return out;
    // Long lists of structs that are all zero take no room in canonical form, which the traversal
    // limit cannot tell from an attack: as it was built, then, but in one segment.
    ::capnp::MallocMessageBuilder flat{static_cast<unsigned>(root.totalSize().wordCount) + 1};
    flat.setRoot(root);
    out.copy(flat.getSegmentsForOutput()[0].asBytes());
    return out;
  }

  [[nodiscard]] reader operator*() const {
    return ::capnp::readMessageUnchecked<Schema>(
        reinterpret_cast<const ::capnp::word*>(view_.data()));
  }
  /// `f->getDelay()`
  [[nodiscard]] auto operator->() const {
    struct arrow {
      reader value;
      const reader* operator->() const { return &value; }
    };
    return arrow{**this};
  }
  /// f(reader), with a mistyped field as an error.
  template <class F>
  [[nodiscard]] auto read(F&& f) const -> result<std::invoke_result_t<F, reader>> {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<F, reader>>) {
        std::forward<F>(f)(**this);
        return {};
      } else {
        return std::forward<F>(f)(**this);
      }
    } catch (const ::kj::Exception& e) {
      return fail(errc::decode, schema_name(), e.getDescription().cStr());
    }
  }

  /// The same value with bytes of its own.
  [[nodiscard]] reader_of own() const {
    if (owned_) return *this;
    reader_of out;
    out.copy(view_);
    return out;
  }
  [[nodiscard]] bytes_view raw() const { return view_; }
  [[nodiscard]] static std::string schema_name() {
    const std::string path = ::capnp::Schema::from<Schema>().getProto().getDisplayName().cStr();
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  }

  friend bool operator==(const reader_of& a, const reader_of& b) { return a.view_ == b.view_; }

 private:
  reader_of() = default;
  void copy(::kj::ArrayPtr<const ::kj::byte> in) {
    copy({reinterpret_cast<const char*>(in.begin()), in.size()});
  }
  void copy(bytes_view in) {
    const std::shared_ptr<std::uint64_t[]> words{new std::uint64_t[in.size() / 8]};
    std::memcpy(words.get(), in.data(), in.size());
    view_ = {reinterpret_cast<const char*>(words.get()), in.size()};
    owned_ = words;
  }

  bytes_view view_;
  std::shared_ptr<const std::uint64_t[]> owned_;
};

template <class Schema>
struct codec<reader_of<Schema>> {
  static void encode(const reader_of<Schema>& v, bytes& out) { out.append(v.raw()); }
  static result<reader_of<Schema>> decode(bytes_view in) { return reader_of<Schema>::over(in); }
  static schema_info schema() {
    const auto proto = ::capnp::Schema::from<Schema>().getProto();
    return {reader_of<Schema>::schema_name(), proto.getId(), 0, "read in place", nullptr};
  }
};

}  // namespace kappa
