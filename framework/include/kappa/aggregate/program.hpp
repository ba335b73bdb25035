// An aggregate's code without its type: what a task calls with bytes. Its states are in a keyed
// table, each with the number of events that have made it.
//
// Threading: the task's thread only. Ownership: tables are the task's; a program keeps nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <typeindex>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/aggregate/personal_data.hpp"
#include "kappa/aggregate/value_form.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/time.hpp"
#include "kappa/state/keyed_table.hpp"

namespace kappa {

/// An aggregate as it is stored: its state, and how many events have made it.
template <class A>
struct aggregate_entry {
  std::uint64_t version = 0;
  A state{};
  bool gone = false;  // by a tombstone: its state is A{}. No query gives such a one
};

namespace detail {

template <class A>
inline constexpr bool may_have_no_stored_form<aggregate_entry<A>> = has_personal<A>;

/// In the stored version of an aggregate that is gone.
inline constexpr std::uint64_t gone_bit = std::uint64_t{1} << 63;

/// Of an aggregate_entry as it is stored.
[[nodiscard]] inline std::uint64_t version_in(bytes_view stored) {
  return byte_reader{stored}.get<std::uint64_t>() & ~gone_bit;
}
[[nodiscard]] inline bool is_gone(bytes_view stored) {
  return (byte_reader{stored}.get<std::uint64_t>() & gone_bit) != 0;
}

}  // namespace detail

/// The version (u64, little-endian), then the state; of one that is gone: the version with its
/// highest bit set, and nothing else.
template <class A>
struct codec<aggregate_entry<A>> {
  static void encode(const aggregate_entry<A>& v, bytes& out) {
    byte_writer{out}.put(v.version | (v.gone ? detail::gone_bit : 0));
    if (!v.gone) codec<A>::encode(v.state, out);
  }
  static result<aggregate_entry<A>> decode(bytes_view in) {
    byte_reader reader{in};
    aggregate_entry<A> v{reader.get<std::uint64_t>()};
    if (!reader.ok()) return fail(errc::decode, codec<A>::schema().name, "its version is missing");
    v.gone = (v.version & detail::gone_bit) != 0;
    v.version &= ~detail::gone_bit;
    if (v.gone) {
      if (reader.done()) return v;
      return fail(errc::decode, codec<A>::schema().name, "it is gone, and has a state");
    }
    auto state = codec<A>::decode(reader.rest());
    if (!state) return fail(std::move(state.error()));
    v.state = std::move(*state);
    return v;
  }
  static schema_info schema() { return codec<A>::schema(); }
};

namespace detail {

/// How far what is under a key has come.
struct aggregate_version {
  std::uint64_t events = 0;
  bool gone = false;
  /// What a command expects that wants to be the first (0), is there after a deletion too.
  [[nodiscard]] bool meets(std::uint64_t expected) const {
    return expected == events || (expected == 0 && gone);
  }
};

/// Of a state, by what has just happened.
struct deadline_change {
  std::optional<timestamp> before;
  std::optional<timestamp> after;
};
/// By clock.
class deadline_changes {
 public:
  deadline_change& operator[](deadline_clock c) { return all_[static_cast<std::size_t>(c)]; }
  const deadline_change& operator[](deadline_clock c) const {
    return all_[static_cast<std::size_t>(c)];
  }

 private:
  std::array<deadline_change, deadline_clocks.size()> all_;
};

/// What came of a command. Its memory is used again.
struct decided {
  struct event {
    std::size_t kind = 0;  // in aggregate_program::events()
    std::size_t begin = 0;
    std::size_t end = 0;
    timestamp time = min_time;
  };

  std::uint64_t version_before = 0;
  std::vector<event> events;
  bytes values;  // of the events, encoded, one behind the other
  std::optional<rejection> rejected;
  std::optional<bytes> reply;
  std::vector<outgoing_command> sends;
  std::vector<outgoing_record> publishes;
  deadline_changes deadlines;
  bool keys_failed = false;  // of an error: it is of the key store, and not of the command

  [[nodiscard]] bytes_view value_of(const event& e) const {
    return bytes_view{values}.substr(e.begin, e.end - e.begin);
  }
  void clear() {
    events.clear();
    values.clear();
    rejected.reset();
    reply.reset();
    sends.clear();
    publishes.clear();
    deadlines = {};
    keys_failed = false;
  }
};

class aggregate_program {
 public:
  virtual ~aggregate_program() = default;

  /// The aggregate's C++ type.
  [[nodiscard]] virtual std::type_index type() const = 0;
  /// In the order of the schema; their places are what `decide` and `apply` are told.
  [[nodiscard]] virtual const std::vector<schema_info>& commands() const = 0;
  [[nodiscard]] virtual const std::vector<schema_info>& events() const = 0;
  /// Of earlier versions of the protocol; for `apply` their places are behind those of `events`.
  [[nodiscard]] virtual const std::vector<schema_info>& former_events() const = 0;
  /// For those who speak JSON.
  [[nodiscard]] virtual const aggregate_forms& forms() const = 0;

  /// The places, for `decide`, of what the framework itself tells an aggregate: what a command
  /// came to that it has sent, and that its deadline by a clock has passed.
  [[nodiscard]] std::size_t place_of_results() const { return commands().size(); }
  [[nodiscard]] std::size_t place_of_deadlines(deadline_clock c) const {
    return commands().size() + 1 + static_cast<std::size_t>(c);
  }
  /// Whether it decides them.
  [[nodiscard]] virtual bool hears_results() const = 0;
  [[nodiscard]] virtual bool has_deadlines(deadline_clock c) const = 0;
  /// Whether an event says its time itself, by its place for `apply`.
  [[nodiscard]] virtual bool has_time(std::size_t event) const = 0;
  /// The first personal field of its commands, events and state; null: there is none.
  [[nodiscard]] virtual const char* personal_field() const = 0;

  [[nodiscard]] virtual std::unique_ptr<keyed_table_base> make_table(
      state_store& store, std::size_t table, const keyed_table_options& options) const = 0;

  [[nodiscard]] virtual result<aggregate_version> version(keyed_table_base& states,
                                                          bytes_view key) const = 0;
  /// Decides the command and applies what follows. Within a step, which undoes it: after an error
  /// (errc::decode: the command's bytes), and after what user code throws, some of it is done.
  /// `keys`: for personal fields; null where there are none.
  [[nodiscard]] virtual result<void> decide(keyed_table_base& states, bytes_view key,
                                            std::size_t command, bytes_view body, timestamp now,
                                            decided& out, key_ring* keys) const = 0;
  /// Applies an event that has happened: of a former one what it is today (upcast.hpp). Within a
  /// step. errc::corrupt: it does not follow on the last one, so that another writer has been
  /// there, or one is missing.
  [[nodiscard]] virtual result<void> apply(keyed_table_base& states, bytes_view key,
                                           std::size_t event, bytes_view value,
                                           std::uint64_t version, timestamp time,
                                           deadline_changes& deadlines) const = 0;
};

template <class A, class Commands = commands_of<A>, class Events = events_of<A>,
          class FormerEvents = former_events_of<A>>
class typed_program;

template <class A, class... Commands, class... Events, class... FormerEvents>
class typed_program<A, type_list<Commands...>, type_list<Events...>, type_list<FormerEvents...>>
    final : public aggregate_program {
  static_assert(check_aggregate<A>());
  using entry = aggregate_entry<A>;
  using states_of = keyed_table<entry>;

 public:
  std::type_index type() const override { return typeid(A); }
  const std::vector<schema_info>& commands() const override { return commands_; }
  const std::vector<schema_info>& events() const override { return events_; }
  const std::vector<schema_info>& former_events() const override { return former_events_; }
  bool hears_results() const override { return kappa::detail::hears_results<A>; }
  bool has_deadlines(deadline_clock c) const override { return has_deadline_by<A>(c); }
  bool has_time(std::size_t event) const override {
    static constexpr bool all[] = {has_event_time<Events>..., has_event_time<FormerEvents>...};
    return all[event];
  }
  const char* personal_field() const override {
    return first_personal<Commands..., Events..., FormerEvents..., A>();
  }
  const aggregate_forms& forms() const override { return forms_; }

  std::unique_ptr<keyed_table_base> make_table(state_store& store, std::size_t table,
                                               const keyed_table_options& options) const override {
    return std::make_unique<states_of>(store, table, options);
  }

  result<aggregate_version> version(keyed_table_base& states, bytes_view key) const override {
    auto found = static_cast<states_of&>(states).find(key);
    if (!found) return fail(of_the_state(std::move(found.error())));
    if (*found == nullptr) return aggregate_version{};
    return aggregate_version{(*found)->version, (*found)->gone};
  }

  result<void> decide(keyed_table_base& states, bytes_view key, std::size_t command,
                      bytes_view body, timestamp now, decided& out, key_ring* keys) const override {
    using call =
        result<void> (*)(states_of&, bytes_view, bytes_view, timestamp, decided&, key_ring*);
    static constexpr call calls[] = {&decide_one<Commands>..., &decide_one<command_result>,
                                     &decide_one<deadline_passed>,
                                     &decide_one<event_deadline_passed>};
    return calls[command](static_cast<states_of&>(states), key, body, now, out, keys);
  }

  result<void> apply(keyed_table_base& states, bytes_view key, std::size_t event, bytes_view value,
                     std::uint64_t version, timestamp time,
                     deadline_changes& deadlines) const override {
    using call = result<void> (*)(entry&, bytes_view, const apply_context&);
    static constexpr call calls[] = {&apply_one<Events>..., &apply_one<FormerEvents>...};
    auto at = static_cast<states_of&>(states).edit(key);
    if (!at) return fail(std::move(at.error()));
    if (version != (*at)->version + 1) {
      return fail(errc::corrupt, printable(key),
                  fmt::format("event {} of it comes after event {}: one is missing, or another "
                              "program has written to the topic",
                              version, (*at)->version));
    }
    if constexpr (has_deadline<A> || has_event_deadline<A>) {
      note_before(**at, deadlines);
      auto done = calls[event](**at, value, {key, version, time});
      note_after(**at, deadlines);
      return done;
    } else {
      return calls[event](**at, value, {key, version, time});
    }
  }

 private:
  // Nothing has happened yet to what has had no event, and nothing will to what is gone.
  template <deadline_clock Clock>
  static std::optional<timestamp> deadline_in(const entry& at) {
    if (at.version == 0 || at.gone) return std::nullopt;
    return deadline_of<Clock>(at.state);
  }
  static void note_before(const entry& at, deadline_changes& to) {
    to[deadline_clock::machine].before = deadline_in<deadline_clock::machine>(at);
    to[deadline_clock::events].before = deadline_in<deadline_clock::events>(at);
  }
  static void note_after(const entry& at, deadline_changes& to) {
    to[deadline_clock::machine].after = deadline_in<deadline_clock::machine>(at);
    to[deadline_clock::events].after = deadline_in<deadline_clock::events>(at);
  }

  // The command's bytes may be wrong too, and that is another matter.
  static error of_the_state(error e) {
    if (e.code == errc::decode) e.code = errc::corrupt;
    return e;
  }

  template <class C>
  static result<void> decide_one(states_of& states, bytes_view key, bytes_view body, timestamp now,
                                 decided& out, key_ring* keys) {
    out.clear();
    if constexpr (!decides<A, C>) {
      bug("an aggregate is to decide what it cannot");
    } else {
      return decide_as<C>(states, key, body, now, out, keys);
    }
  }

  template <class C>
  static result<void> decide_as(states_of& states, bytes_view key, bytes_view body, timestamp now,
                                decided& out, key_ring* keys) {
    auto command = codec<C>::decode(body);
    if (!command) return fail(std::move(command.error()));
    if (auto opened = open_personal(*command, keys); !opened) {
      auto e = std::move(opened.error());
      if (e.code == errc::corrupt) e.code = errc::decode;  // anybody may have written it
      return fail(of_the_keys(std::move(e), out));
    }
    auto found = states.find(key);
    if (!found) return fail(of_the_state(std::move(found.error())));
    static const entry nothing_yet{};
    const auto& before = *found != nullptr ? **found : nothing_yet;
    const auto& state = before.state;
    out.version_before = before.version;
    note_before(before, out.deadlines);
    if constexpr (std::same_as<C, deadline_passed> || std::same_as<C, event_deadline_passed>) {
      constexpr auto clock =
          std::same_as<C, deadline_passed> ? deadline_clock::machine : deadline_clock::events;
      if (out.deadlines[clock].before != command->deadline) return {};  // it was moved since
    }
    std::optional<A> readable;  // what stays in memory is sealed
    if constexpr (has_personal<A>) {
      readable = state;
      if (auto opened = open_personal(*readable, keys); !opened)
        return fail(of_the_keys(std::move(opened.error()), out));
    }
    const auto own = call_decide(readable ? *readable : state, *command,
                                 decide_context{key, out.version_before, now});
    if (own.rejected()) {
      out.rejected = own.why();
      return {};
    }
    out.reply = own.reply_bytes();
    out.sends = own.sends();
    if (!own.publishes().empty()) out.publishes = own.publishes();
    if (own.events().empty()) return {};
    auto at = states.edit(key);
    if (!at) return fail(std::move(at.error()));
    for (const auto& e : own.events()) {
      const auto done =
          std::visit([&](const auto& one) { return happens(**at, key, one, now, out, keys); }, e);
      if (!done) return done;
    }
    return {};
  }

  static error of_the_keys(error e, decided& out) {
    out.keys_failed = e.retriable;
    return e;
  }

  template <class E>
  static result<void> happens(entry& at, bytes_view key, const E& e, timestamp now, decided& out,
                              key_ring* keys) {
    static_assert(type_list<Events...>::template contains<E>,
                  "this event is not of the aggregate's protocol");
    if constexpr (has_personal<E>) {
      auto sealed = e;
      if (auto done = seal_personal(sealed, key, keys); !done)
        return fail(of_the_keys(std::move(done.error()), out));
      happens_sealed(at, key, sealed, now, out);
    } else {
      happens_sealed(at, key, e, now, out);
    }
    return {};
  }

  template <class E>
  static void happens_sealed(entry& at, bytes_view key, const E& e, timestamp now, decided& out) {
    auto& told = out.events.emplace_back();
    told.kind = type_list<Events...>::template place_of<E>;
    told.time = now;
    if constexpr (has_event_time<E>) told.time = event_traits<E>::time(e);
    told.begin = out.values.size();
    codec<E>::encode(e, out.values);
    told.end = out.values.size();
    at.gone = call_apply(at.state, e, apply_context{key, ++at.version, told.time});
    note_after(at, out.deadlines);  // of each, as a replay does
  }

  template <class E>
  static result<void> apply_one(entry& at, bytes_view value, const apply_context& ctx) {
    auto event = codec<E>::decode(value);
    if (!event) return fail(std::move(event.error()));
    at.version = ctx.version;
    each_event<A>::of(*event, ctx, [&](const auto& e) { at.gone = call_apply(at.state, e, ctx); });
    return {};
  }

  std::vector<schema_info> commands_{codec<Commands>::schema()...};
  std::vector<schema_info> events_{codec<Events>::schema()...};
  std::vector<schema_info> former_events_{codec<FormerEvents>::schema()...};
  aggregate_forms forms_ = make_forms<A>();
};

}  // namespace detail
}  // namespace kappa
