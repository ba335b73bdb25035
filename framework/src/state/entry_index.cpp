#include "kappa/state/detail/entry_index.hpp"

#include "kappa/core/error.hpp"

namespace kappa::detail {

std::uint64_t entry_index::slot_of(const cached_entry& e, std::uint64_t hash) {
  const auto address = reinterpret_cast<std::uintptr_t>(&e) >> alignment_bits;
  if (address >> address_bits != 0) bug("an address has more bits than the index has room for");
  return tag(hash) << address_bits | address;
}

void entry_index::put(std::uint64_t slot, std::uint64_t hash) {
  auto at = home(hash);
  while (slots_[at] != 0) at = next(at);
  slots_[at] = slot;
}

void entry_index::insert(cached_entry& e) {
  // At most three of five slots are used: then a search looks at two, most often in one line.
  if ((used_ + 1) * 5 > slots_.size() * 3) grow();
  const auto hash = hash_of(e.key());
  put(slot_of(e, hash), hash);
  ++used_;
}

void entry_index::grow() {
  slots old(slots_.size() * 2);
  old.swap(slots_);
  for (const auto slot : old) {
    if (slot != 0) put(slot, hash_of(entry_of(slot)->key()));
  }
}

void entry_index::erase(const cached_entry& e) {
  const auto hash = hash_of(e.key());
  const auto wanted = slot_of(e, hash);
  auto hole = home(hash);
  for (; slots_[hole] != wanted; hole = next(hole)) {
    if (slots_[hole] == 0) bug("an entry is erased that is not in the index");
  }
  // What comes after moves up, unless that would put it before its home.
  for (auto at = next(hole); slots_[at] != 0; at = next(at)) {
    const auto from_home = (at - home(hash_of(entry_of(slots_[at])->key()))) & (slots_.size() - 1);
    const auto from_hole = (at - hole) & (slots_.size() - 1);
    if (from_home < from_hole) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = 0;
  --used_;
}

}  // namespace kappa::detail
