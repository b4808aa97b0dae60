// SPDX-License-Identifier: Apache-2.0
// What the parent and the agent say to each other over their socket pair: words, some with an open
// file. Never waits, and believes neither side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

enum class Word : std::uint32_t {
  kGone,             // never said: the other side is gone, or speaks another language
  kNothing,          // never said: there is none now
  kStarting,         // agent: it does not take records yet, but goes on
  kRunning,          // agent: it takes records
  kHasEnough,        // agent: Quota::has_enough(); it goes on counting until it is ended
  kEveIsFull,        // agent: it wants another EVE file
  kCollectorIsGone,  // agent: it wants another socket to the IPFIX collector
  kCollector,        // parent, with that socket, or none
  kEveFile,          // parent, with that file; the number: old ones removed for it
  kEveRefused,       // parent: the agent is to go on with what it has
  kEnd,              // parent: take what is left, and end
  kClasses,          // parent: new classes, in the body; the number is that of the reload
  kClassesTaken,     // agent: it uses the new classes; the same number
};

struct Said {
  Word word = Word::kGone;
  std::uint32_t number = 0;
  Fd file;
  std::vector<std::byte> body;
};

// Both ends.
[[nodiscard]] Result<std::pair<Fd, Fd>> make_link();

// False where the other side does not take it now, or is gone; errno says why. `file` is lent.
[[nodiscard]] bool say(int link, Word word, std::uint32_t number = 0, int file = -1,
                       std::span<const std::byte> body = {});

// Returns the next message, or nullopt if none has arrived. If the other side sends a longer body,
// it counts as gone.
[[nodiscard]] std::optional<Said> hear(int link, std::size_t longest_body = 0);

}  // namespace nids
