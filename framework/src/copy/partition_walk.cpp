#include "copy/partition_walk.hpp"

#include "kappa/log/wait_and_read.hpp"

namespace kappa::detail {

result<const record_view*> partition_walk::next() {
  constexpr std::size_t read_bytes = 1 << 20;
  if (given_) records_.pop();
  given_ = false;
  for (;;) {
    if (const auto* r = records_.peek()) {
      if (r->offset >= until_) return nullptr;
      given_ = true;
      return r;
    }
    if (at_ >= until_) return nullptr;
    if (!reader_) {
      auto opened = log_.open_reader(where_);
      if (!opened) return fail(opened.error());
      reader_ = std::move(*opened);
    }
    auto read = wait_and_read(*reader_, at_, until_, read_bytes);
    if (!read) return fail(read.error());
    batch_ = std::move(*read);
    records_ = read_batch::cursor{batch_};
    at_ = batch_.next();
  }
}

}  // namespace kappa::detail
