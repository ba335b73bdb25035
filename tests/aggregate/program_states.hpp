// States of an aggregate's program, in memory.
#pragma once

#include "aggregate/bank.hpp"
#include "kappa/aggregate/program.hpp"
#include "state/state_support.hpp"
#include "support/must.hpp"

namespace aggregate_programs {

using namespace bank;
using namespace kappa;
using kappa::test::map_store;
using kappa::test::must;

inline constexpr timestamp noon{std::chrono::hours{12}};

template <class A>
struct states {
  template <class C>
  result<void> decide(bytes_view key, std::size_t which, const C& command) {
    return step(
        [&] { return program.decide(*table, key, which, encoded(command), noon, out, nullptr); });
  }
  template <class E>
  result<void> apply(bytes_view key, std::size_t which, const E& event, std::uint64_t version) {
    return step(
        [&] { return program.apply(*table, key, which, encoded(event), version, noon, deadline); });
  }
  template <class F>
  result<void> step(F&& f) {
    table->begin_step(epoch_number{1});
    auto done = f();
    if (done) {
      table->commit_step();
    } else {
      table->rollback_step();
    }
    return done;
  }
  aggregate_entry<A> at(bytes_view key) {
    const auto stored = must(table->read(key, read_level::latest));
    return stored ? must(codec<aggregate_entry<A>>::decode(*stored)) : aggregate_entry<A>{};
  }

  kappa::detail::typed_program<A> program;
  map_store store;
  std::unique_ptr<keyed_table_base> table = program.make_table(store, 0, {});
  kappa::detail::decided out;
  kappa::detail::deadline_changes deadline;
};

}  // namespace aggregate_programs
