// A small app with all that recovery has to do with, and a story of events for it.
#pragma once

#include "engine/manual_host.hpp"
#include "kappa/stream/app.hpp"

namespace engine_test {

/// Two stages behind a hop and a hop again, with user code that fails at the value 13, and one with
/// two inputs.
[[nodiscard]] app shop();
/// The one with two inputs, "order", alone.
void add_order(app& a);
/// Sends the step `i` of a fixed story to its three topics.
void send_step(manual_host& h, int i);
/// Sends the steps [from, to), and lets the app process each; with `gaps`, offsets are unused in
/// all topics now and then.
void play(manual_host& h, int from, int to, bool gaps);
/// The story's end: all windows close.
void end(manual_host& h);

inline constexpr int story_steps = 40;
inline constexpr std::int32_t story_partitions = 2;
/// What there is when nothing disturbs it.
[[nodiscard]] const picture& whole_story();

}  // namespace engine_test
