// state_store on LMDB.
//
// One environment per state partition; the database "kappa.state" holds what the state says of
// itself, "t/NAME" a table. stored_form.hpp tells how keys and values look.
//
// Threading: as state_store says. The owner's reads share one read transaction that is reset after
// each call; `commit` uses none of it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kappa/state/state_store.hpp"
#include "lmdb/lmdb.hpp"

namespace kappa::detail {

class lmdb_store final : public state_store {
 public:
  using long_key_hash = hash128 (*)(bytes_view);

  /// `hash` is for long keys; tests give one that collides.
  [[nodiscard]] static result<std::unique_ptr<lmdb_store>> open(const state_store_options& options,
                                                                long_key_hash hash = checksum128);
  ~lmdb_store() override = default;

  [[nodiscard]] std::optional<bytes> snapshot() const override;
  [[nodiscard]] epoch_number epoch() const override;
  [[nodiscard]] result<bool> get(std::size_t table, bytes_view key, bytes& out) override;
  [[nodiscard]] result<void> scan(std::size_t table, bytes_view from, bytes_view to,
                                  const scan_fn& f) override;
  [[nodiscard]] result<void> scan_all(std::size_t table, const scan_fn& f) override;
  [[nodiscard]] result<void> commit(const state_delta& delta) override;
  [[nodiscard]] result<state_stats> stats() override;
  [[nodiscard]] result<bytes> copy_to(const std::filesystem::path& folder) override;
  [[nodiscard]] const state_identity& identity() const override { return identity_; }
  [[nodiscard]] std::string subject(std::size_t table, bytes_view key) const override;

 private:
  struct stored_table {
    std::string name;
    schema_info schema;
    std::uint64_t seed = 0;
    lmdb::dbi dbi;
  };
  class reading;

  lmdb_store() = default;
  [[nodiscard]] result<void> check_meta();
  [[nodiscard]] result<void> make();
  [[nodiscard]] result<void> take_over();
  [[nodiscard]] result<void> read_snapshot();
  [[nodiscard]] result<std::uint64_t> stored_owner(lmdb::write_txn& txn) const;
  [[nodiscard]] result<std::optional<bytes>> meta(bytes_view key);
  [[nodiscard]] result<void> put_meta(lmdb::write_txn& txn, bytes_view key, bytes_view value) const;
  [[nodiscard]] result<void> write_table(lmdb::write_txn& txn, const stored_table& t,
                                         const table_delta& delta) const;
  [[nodiscard]] result<void> write_long_keys(lmdb::write_txn& txn, const stored_table& t,
                                             const std::vector<table_delta::change>& changes) const;
  [[nodiscard]] result<bool> has_long_keys(const stored_table& t) const;
  [[nodiscard]] tl::unexpected<error> damaged(const stored_table& t, bytes_view key) const;

  state_identity identity_;
  std::string folder_;
  bool read_only_ = false;
  std::uint64_t owner_ = 0;  // grows with each opening
  long_key_hash hash_ = nullptr;
  std::uint64_t meta_seed_ = 0;
  std::vector<stored_table> tables_;
  bool schemas_pending_ = false;  // an older schema was accepted: the next commit stores ours

  std::shared_ptr<lmdb::environment> env_;
  std::optional<lmdb::dbi> meta_;
  lmdb::read_txn read_;       // the owner's
  int reads_ = 0;             // nesting
  bytes key_scratch_;         // the owner's
  mutable std::mutex mutex_;  // guards the two below: commit may run on another thread
  std::optional<bytes> snapshot_;
  epoch_number epoch_;
};

}  // namespace kappa::detail
