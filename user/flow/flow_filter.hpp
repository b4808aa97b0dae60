// SPDX-License-Identifier: Apache-2.0
// A compiled pcap filter that asks only for what flows tell, and whether a flow matches it. Parses
// no expression: the client compiles, the agent gets instructions and trusts none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/ends.hpp"
#include "nids/result.hpp"

namespace nids {

// A classic BPF instruction; libpcap's struct has the same name as the kernel's other one.
struct FilterInstruction {
  std::uint16_t code = 0;
  std::uint8_t jump_true = 0, jump_false = 0;
  std::uint32_t k = 0;
  bool operator==(const FilterInstruction&) const = default;
};

class FlowFilter {
 public:
  // Some 40 addresses and ports. A match takes the agent a microsecond at most.
  static constexpr std::size_t kMaxInstructions = 256;

  // Refuses what is no valid program or jumps back, what looks at anything that a flow can't tell
  // (and says at what), and what no flow could match. Ethernet is the link type it is meant for.
  static Result<FlowFilter> of(std::span<const FilterInstruction> instructions);

  // What text() made: "COUNT,CODE JT JF K,..." as tcpdump -ddd and tc have it. Checked like of().
  static Result<FlowFilter> parse(std::string_view text);
  std::string text() const;
  std::size_t instructions() const;

  // Whether a packet of either direction would match, so `src host` finds the flows in which that
  // host sends, and `not src host` those in which the other end does too. Tags are as in a
  // capture: `port 22` is about untagged packets, `vlan and port 22` about tagged ones.
  bool matches(const Ends& ends) const;

 private:
  friend class UncheckedFilter;
  struct Program;
  explicit FlowFilter(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

// A filter whose check is done in steps of some microseconds, for a thread that has other things to
// do. It can't be asked anything before.
class UncheckedFilter {
 public:
  // Refuse at once what is no valid program or jumps back.
  static Result<UncheckedFilter> of(std::span<const FilterInstruction> instructions);
  static Result<UncheckedFilter> parse(std::string_view text);

  // Nothing: there are more steps to do.
  std::optional<Result<FlowFilter>> step();

 private:
  UncheckedFilter(std::span<const FilterInstruction> instructions,
                  std::shared_ptr<const FlowFilter::Program> program)
      : instructions_(instructions.begin(), instructions.end()), program_(std::move(program)) {}

  std::vector<FilterInstruction> instructions_;
  std::shared_ptr<const FlowFilter::Program> program_;
  unsigned next_layout_ = 0;
  bool can_match_ = false;
};

}  // namespace nids
