// In which chunks an id may be: a hash table in memory, 8 bytes a slot.
//
// A slot has 40 bits of the id's hash and the chunk's number. It is placed by the upper ones of
// those bits, so that a table grows without the ids; which of 256 tables it is in are 8 bits more,
// so that growing is done in small parts. Two ids that share 48 bits cost a look at a chunk, and
// nothing else. What is in chunks that are gone is left out when a table is made anew.
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kappa/core/bytes.hpp"

namespace kappa::detail {

class id_index {
 public:
  /// Chunks that are there: [first, first + count). At most `most_chunks` of them at a time.
  struct chunk_range {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };
  static constexpr std::uint64_t most_chunks = (1 << 24) - 2;

  struct entry {
    hash128 id;
    std::uint64_t chunk = 0;
  };

  void add(const entry& e, const chunk_range& there) {
    make_room(table_of(e.id), 1, there);
    put(table_of(e.id), slot_of(e));
  }
  /// So many more will be added: the tables need not be made anew on the way.
  void reserve(std::size_t more, const chunk_range& there) {
    const auto of_each = more / tables + more / tables / 8;  // none has much more than its share
    for (auto& t : tables_) make_room(t, of_each, there);
  }
  /// Many at a time, table after table: each then stays in the processor's cache while its ids go
  /// in. `all` is emptied.
  void add_all(std::vector<entry>& all, const chunk_range& there) {
    std::array<std::size_t, tables + 1> behind{};
    for (const auto& e : all) ++behind[table_number(e.id) + 1];
    for (std::size_t n = 0; n < tables; ++n) {
      make_room(tables_[n], behind[n + 1], there);
      behind[n + 1] += behind[n];
    }
    sorted_.resize(all.size());
    auto next = behind;
    for (const auto& e : all) sorted_[next[table_number(e.id)]++] = slot_of(e);
    for (std::size_t n = 0; n < tables; ++n) {
      for (auto i = behind[n]; i < behind[n + 1]; ++i) put(tables_[n], sorted_[i]);
    }
    all.clear();
  }

  /// Calls f(chunk) for each chunk that may have the id, in no order.
  template <class F>
  void for_each(const hash128& id, const chunk_range& there, F&& f) const {
    const auto& t = tables_[table_number(id)];
    if (t.slots.empty()) return;
    const auto tag = tag_of(id);
    const auto mask = t.slots.size() - 1;
    for (auto at = home(tag, t.slots.size());; at = (at + 1) & mask) {
      const auto slot = t.slots[at];
      if (slot == 0) return;
      if (slot >> chunk_bits != tag) continue;
      const auto behind = distance(slot, there);
      if (behind < there.count) f(there.first + behind);
    }
  }

  [[nodiscard]] std::size_t memory_bytes() const {
    std::size_t all = sorted_.capacity() * sizeof(std::uint64_t);
    for (const auto& t : tables_) all += t.slots.capacity() * sizeof(std::uint64_t);
    return all;
  }

 private:
  static constexpr std::size_t tables = 256;
  static constexpr unsigned chunk_bits = 24;
  static constexpr unsigned tag_bits = 64 - chunk_bits;
  static constexpr std::uint64_t names = (std::uint64_t{1} << chunk_bits) - 1;

  struct table {
    std::vector<std::uint64_t> slots;  // 0: free; their number is a power of two
    std::size_t used = 0;
  };

  // Never 0, so that no slot in use is.
  static std::uint64_t name_of(std::uint64_t chunk) { return chunk % names + 1; }
  static std::uint64_t distance(std::uint64_t slot, const chunk_range& there) {
    const auto name = slot & names;
    return (name + names - name_of(there.first)) % names;
  }
  static std::uint64_t tag_of(const hash128& id) { return id.low >> chunk_bits; }
  static std::size_t table_number(const hash128& id) { return id.high & 0xff; }
  static std::uint64_t slot_of(const entry& e) {
    return tag_of(e.id) << chunk_bits | name_of(e.chunk);
  }
  table& table_of(const hash128& id) { return tables_[table_number(id)]; }
  static std::size_t home(std::uint64_t tag, std::size_t slots) {
    return tag >> (tag_bits - static_cast<unsigned>(std::countr_zero(slots)));
  }

  static void put(table& t, std::uint64_t slot) {
    const auto mask = t.slots.size() - 1;
    auto at = home(slot >> chunk_bits, t.slots.size());
    while (t.slots[at] != 0) at = (at + 1) & mask;
    t.slots[at] = slot;
    ++t.used;
  }

  static void make_room(table& t, std::size_t more, const chunk_range& there) {
    if ((t.used + more) * 10 > t.slots.size() * 7) renew(t, more, there);
  }

  static void renew(table& t, std::size_t more, const chunk_range& there) {
    const auto is_there = [&](std::uint64_t slot) {
      return slot != 0 && distance(slot, there) < there.count;
    };
    const auto live =
        static_cast<std::size_t>(std::count_if(t.slots.begin(), t.slots.end(), is_there));
    table next;
    const auto wanted = std::max(live * 5 / 2, (live + more) * 10 / 7 + 1);
    next.slots.resize(std::bit_ceil(std::max<std::size_t>(64, wanted)));
    for (const auto slot : t.slots) {
      if (is_there(slot)) put(next, slot);
    }
    t = std::move(next);
  }

  std::array<table, tables> tables_;
  std::vector<std::uint64_t> sorted_;  // of add_all
};

}  // namespace kappa::detail
