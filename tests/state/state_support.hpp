// What the tests of the state share: a store in memory, folders, small types.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/state/keyed_table.hpp"
#include "kappa/state/state_store.hpp"
#include "kappa/state/timer_table.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace kappa::test {

/// The logic above the store, without a disk.
class map_store final : public state_store {
 public:
  explicit map_store(std::size_t tables = 1) : tables_(tables) {}

  std::optional<bytes> snapshot() const override { return snapshot_; }
  epoch_number epoch() const override { return epoch_; }
  result<bool> get(std::size_t table, bytes_view key, bytes& out) override;
  result<void> scan(std::size_t table, bytes_view from, bytes_view to, const scan_fn& f) override;
  result<void> scan_all(std::size_t table, const scan_fn& f) override;
  result<void> commit(const state_delta& delta) override;
  result<state_stats> stats() override;
  result<bytes> copy_to(const std::filesystem::path& folder) override;
  const state_identity& identity() const override { return identity_; }
  std::string subject(std::size_t table, bytes_view key) const override;

  std::size_t gets = 0;

 private:
  state_identity identity_;
  std::vector<std::map<bytes, bytes, std::less<>>> tables_;
  std::optional<bytes> snapshot_;
  epoch_number epoch_;
};

using kappa::test::temporary_folder;

/// A state of table "counts" (and "timers" when asked for).
[[nodiscard]] state_store_options options_in(const std::filesystem::path& folder,
                                             bool with_timers = false);
[[nodiscard]] std::unique_ptr<state_store> opened(const state_store_options& options);

/// Writes one T2.
void commit(state_store& store, std::uint64_t epoch, std::vector<frozen_delta> tables);
[[nodiscard]] frozen_delta delta_of(std::initializer_list<table_delta::change> changes);
[[nodiscard]] std::map<bytes, std::optional<bytes>> contents(const frozen_delta& delta);
/// Keys from..to-1 in decimal, all with `value`.
[[nodiscard]] frozen_delta numbered(int from, int to, bytes_view value);

/// A value without memory of its own, as most are.
struct sums {
  std::int64_t count = 0;
  std::int64_t total = 0;
  friend bool operator==(const sums&, const sums&) = default;
};

}  // namespace kappa::test

template <>
struct kappa::codec<kappa::test::sums> {
  static void encode(const test::sums& v, bytes& out) {
    byte_writer{out}.put(v.count).put(v.total);
  }
  static result<test::sums> decode(bytes_view in) {
    byte_reader reader{in};
    test::sums v;
    v.count = reader.get<std::int64_t>();
    v.total = reader.get<std::int64_t>();
    if (!reader.done()) return fail(errc::decode, "sums", "expected 16 bytes");
    return v;
  }
  static schema_info schema() { return {"sums", 0, 4, "sums", nullptr}; }
};
