// SPDX-License-Identifier: Apache-2.0
#include "agent/parent_link.hpp"

namespace nids {
namespace {

constexpr auto kAskAgainAfter = std::chrono::seconds(10);  // after a refusal
constexpr auto kTellEvery = std::chrono::seconds(1);

}  // namespace

// Nothing but its end is said to an agent that does not run yet.
bool ParentLink::goes_on_starting() {
  if (const auto said = hear(link_.get()); said) is_ending_ = true;
  const auto now = std::chrono::steady_clock::now();
  if (now >= tell_again_ && say(link_.get(), Word::kStarting)) tell_again_ = now + kTellEvery;
  return !is_ending_;
}

void ParentLink::hear_all(Pipeline& pipeline) {
  while (auto said = hear(link_.get())) {
    if (said->word == Word::kGone) {
      is_ending_ = true;
      return;
    }
    take(std::move(*said), pipeline);
  }
}

void ParentLink::take(Said said, Pipeline& pipeline) {
  switch (said.word) {
    case Word::kEveFile:
      is_waiting_ = false;
      if (said.file) pipeline.take_eve_file(said.file.release(), said.number);
      break;
    case Word::kEveRefused:
      is_waiting_ = false;
      ask_again_ = std::chrono::steady_clock::now() + kAskAgainAfter;
      pipeline.keep_eve_file();
      break;
    case Word::kCollector:
      if (said.file) pipeline.take_collector(std::move(said.file));
      break;
    case Word::kEnd:
      is_ending_ = true;
      break;
    default:
      break;
  }
}

void ParentLink::look_at_eve(Pipeline& pipeline) {
  if (is_waiting_) return hear_all(pipeline);
  if (rotate_bytes_ == 0 || pipeline.eve_bytes() < rotate_bytes_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < ask_again_) return;
  is_waiting_ = say(link_.get(), Word::kEveIsFull);
  if (!is_waiting_) ask_again_ = now + kAskAgainAfter;
}

void ParentLink::look_at_collector(const Pipeline& pipeline) {
  const auto now = std::chrono::steady_clock::now();
  if (!pipeline.wants_collector() || now < ask_collector_) return;
  ask_collector_ = now + kTellEvery;
  static_cast<void>(say(link_.get(), Word::kCollectorIsGone));
}

}  // namespace nids
