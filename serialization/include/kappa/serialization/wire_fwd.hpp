// Names of the wire layer, for generated headers: users compile none of it.
#pragma once

namespace kappa {

class json_view;
class json_writer;

namespace wire {

class writer;
class struct_view;
template <unsigned DataWords, unsigned Pointers>
struct frame;

}  // namespace wire
}  // namespace kappa
