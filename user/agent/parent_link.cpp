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

void ParentLink::hear_all(Outputs& outputs) {
  while (auto said = hear(link_.get(), kClassMessageBytes)) {
    if (said->word == Word::kGone) {
      is_ending_ = true;
      return;
    }
    take(std::move(*said), outputs);
  }
}

void ParentLink::take(Said said, Outputs& outputs) {
  switch (said.word) {
    case Word::kEveFile:
      is_waiting_ = false;
      if (said.file) take_eve_file(std::move(said), outputs);
      break;
    case Word::kEveRefused:
      is_waiting_ = false;
      ask_again_ = std::chrono::steady_clock::now() + kAskAgainAfter;
      if (outputs.eve()) outputs.eve()->keep_file();
      break;
    case Word::kCollector:
      if (said.file && outputs.ipfix()) outputs.ipfix()->replace_socket(std::move(said.file));
      break;
    case Word::kClasses:
      if (auto classes = decode_classes(said.body))
        classes_ = NewClasses{said.number, std::move(*classes)};
      break;
    case Word::kEnd:
      is_ending_ = true;
      break;
    default:
      break;
  }
}

// The file is for all interfaces, so it is counted in the first block, as in IpfixOutput.
void ParentLink::take_eve_file(Said said, Outputs& outputs) {
  if (!outputs.eve()) return;
  outputs.eve()->take_file(said.file.release());
  const auto blocks = outputs.counters().attached_first();
  if (!blocks.empty()) blocks.front()->eve_files_removed += said.number;
}

void ParentLink::look_at_eve(Outputs& outputs) {
  if (is_waiting_) return hear_all(outputs);
  if (rotate_bytes_ == 0 || !outputs.eve() || outputs.eve()->end_bytes() < rotate_bytes_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < ask_again_) return;
  is_waiting_ = say(link_.get(), Word::kEveIsFull);
  if (!is_waiting_) ask_again_ = now + kAskAgainAfter;
}

void ParentLink::look_at_collector(Outputs& outputs) {
  const auto now = std::chrono::steady_clock::now();
  if (!outputs.ipfix() || !outputs.ipfix()->wants_socket() || now < ask_collector_) return;
  ask_collector_ = now + kTellEvery;
  static_cast<void>(say(link_.get(), Word::kCollectorIsGone));
}

}  // namespace nids
