#include "engine/story.hpp"

#include "kappa/kappa.hpp"

namespace engine_test {

void add_order(app& a) {
  using std::chrono_literals::operator""min;
  a.stream<reading>("left", {.idle_after = 1min})
      .merge("both", a.stream<reading>("right", {.idle_after = 1min}))
      .already_keyed(&reading::place)
      .process<totals>("order",
                       [](totals& t, const reading& r) {
                         if (r.value == 13) throw std::runtime_error{"thirteen"};
                         t.add(r.value);
                         return std::to_string(t.count) + ":" + r.place + std::to_string(r.value);
                       })
      .to("ordered");
}

app shop() {
  using std::chrono_literals::operator""h;
  using std::chrono_literals::operator""min;
  app a{"shop"};
  auto hours = a.stream<reading>("in", {.idle_after = 1min})
                   .map("fragile",
                        [](const reading& r) {
                          if (r.value == 13) throw std::runtime_error{"thirteen"};
                          return r;
                        })
                   .key_by("place", &reading::place)
                   .window(tumbling{1h}, {.lateness = 10min})
                   .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); });
  hours.to("hours");
  hours.key_by("again", [](const auto& w) { return w.key; })
      .fold<totals>("best", [](totals& t, const auto& w) { t.add(w.value.sum); })
      .to("out");
  add_order(a);
  return a;
}

void send_step(manual_host& h, int i) {
  const std::string place{static_cast<char>('a' + i % 5)};
  const int p = i % 2;
  h.send("in", {place, minute(i * 17), i % 15}, p);
  h.send("left", {place, minute(i * 20), i % 14}, p);
  if (i % 3 != 0) h.send("right", {place, minute(i * 19), i % 11}, p);
  if (i % 7 == 4) h.send_bytes("in", place, "garbage", minute(i * 17), p);
}

void play(manual_host& h, int from, int to, bool gaps) {
  for (int i = from; i < to; ++i) {
    send_step(h, i);
    h.settle(3);
    if (!gaps || i % 2 == 0) continue;
    const int p = i % 2;
    for (const auto& t : must(h.log().topics())) {
      if (p < t.partitions) h.log().skip_offsets({t.name, partition{p}}, 1);
    }
  }
}

void end(manual_host& h) {
  h.until_end = true;
  h.open();
  h.settle();
}

const picture& whole_story() {
  static const auto p = [] {
    manual_host h{shop(), story_partitions};
    h.open();
    play(h, 0, story_steps, false);
    end(h);
    return h.picture();
  }();
  return p;
}

}  // namespace engine_test
