// SPDX-License-Identifier: Apache-2.0
// The agent's end of its link to the parent: asks for another EVE file in time, takes what is
// given, and hears when to end. Opens nothing, and never waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "agent/class_message.hpp"
#include "agent/link.hpp"
#include "output/outputs.hpp"

namespace nids {

class ParentLink {
 public:
  // `rotate_bytes`: an EVE file of this length is to be replaced; 0: never asks.
  ParentLink(Fd link, std::uint64_t rotate_bytes)
      : link_(std::move(link)), rotate_bytes_(rotate_bytes) {}

  int fd() const { return link_.get(); }
  // Before it takes records: tells the parent, once a second, that it goes on. False: it is to end.
  [[nodiscard]] bool goes_on_starting();
  [[nodiscard]] bool tell_running() const { return say(link_.get(), Word::kRunning); }
  [[nodiscard]] bool tell_enough() const { return say(link_.get(), Word::kHasEnough); }

  // All that the parent has said since the last call.
  void hear_all(Outputs& outputs);
  // Asks for another EVE file if the file is full, and takes it. Call it often, because the thread
  // that writes the file pauses at the limit.
  void look_at_eve(Outputs& outputs);

  // The classes that the parent sent last. tell_classes_taken() needs their number.
  struct NewClasses {
    std::uint32_t number;
    PlacedClasses classes;
  };
  // Returns nothing if the parent has sent no classes since the last call.
  std::optional<NewClasses> take_classes() { return std::exchange(classes_, std::nullopt); }
  void tell_classes_taken(std::uint32_t number) const {
    // If the parent does not get this message, it starts another agent, which has the classes.
    static_cast<void>(say(link_.get(), Word::kClassesTaken, number));
  }

  // Asks for a socket to the collector if the exporter wants one. Call it a few times a second.
  void look_at_collector(Outputs& outputs);

  bool is_ending() const { return is_ending_; }  // told so, or the parent is gone

 private:
  void take(Said said, Outputs& outputs);
  static void take_eve_file(Said said, Outputs& outputs);

  Fd link_;
  std::uint64_t rotate_bytes_;
  bool is_waiting_ = false;  // for an answer
  bool is_ending_ = false;
  std::optional<NewClasses> classes_;
  std::chrono::steady_clock::time_point ask_again_{}, tell_again_{}, ask_collector_{};
};

}  // namespace nids
