// Deletion of aggregates. An event that is a tombstone ends an aggregate's life: after it there is
// none under the key, for queries and for `decide`, which sees A{} again. Of a state only the
// version is kept, which goes on counting; the events stay in the log. An event that follows begins
// a new life.
//
//   struct Closed $Kappa.event("account") $Kappa.tombstone {}
//
// Threading: constants.
#pragma once

namespace kappa {

/// Whether an aggregate is gone after this event. The code generator specializes it for what is
/// marked `$Kappa.tombstone`; protocols that are written by hand may too, where the event is
/// declared:
///   template <> inline constexpr bool kappa::is_tombstone<closed> = true;
template <class Event>
inline constexpr bool is_tombstone = false;

}  // namespace kappa
