// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_filter.hpp"

#include <pcap/bpf.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "flow/flow_filter_check.hpp"
#include "flow/flow_frame.hpp"

namespace nids {

struct FlowFilter::Program {
  std::vector<bpf_insn> instructions;
};

namespace {

Error refused(std::string reason, std::string hint = {}) {
  return {.action = "filter flows", .reason = std::move(reason), .hint = std::move(hint)};
}

// bpf_filter() aborts the process at a code that it doesn't know, and bpf_validate() lets some by.
bool is_known(std::uint16_t code) {
  constexpr auto kCodes = std::to_array<std::uint16_t>({
      BPF_RET | BPF_K,
      BPF_RET | BPF_A,
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_H | BPF_ABS,
      BPF_LD | BPF_B | BPF_ABS,
      BPF_LD | BPF_W | BPF_IND,
      BPF_LD | BPF_H | BPF_IND,
      BPF_LD | BPF_B | BPF_IND,
      BPF_LD | BPF_W | BPF_LEN,
      BPF_LDX | BPF_W | BPF_LEN,
      BPF_LDX | BPF_MSH | BPF_B,
      BPF_LD | BPF_IMM,
      BPF_LDX | BPF_IMM,
      BPF_LD | BPF_MEM,
      BPF_LDX | BPF_MEM,
      BPF_ST,
      BPF_STX,
      BPF_JMP | BPF_JA,
      BPF_ALU | BPF_NEG,
      BPF_MISC | BPF_TAX,
      BPF_MISC | BPF_TXA,
  });
  constexpr auto kWithEitherOperand = std::to_array<std::uint16_t>({
      BPF_JMP | BPF_JEQ,
      BPF_JMP | BPF_JGT,
      BPF_JMP | BPF_JGE,
      BPF_JMP | BPF_JSET,
      BPF_ALU | BPF_ADD,
      BPF_ALU | BPF_SUB,
      BPF_ALU | BPF_MUL,
      BPF_ALU | BPF_DIV,
      BPF_ALU | BPF_MOD,
      BPF_ALU | BPF_AND,
      BPF_ALU | BPF_OR,
      BPF_ALU | BPF_XOR,
      BPF_ALU | BPF_LSH,
      BPF_ALU | BPF_RSH,
  });
  const auto is_in = [](const auto& codes, int one) {
    return std::find(codes.begin(), codes.end(), one) != codes.end();
  };
  return is_in(kCodes, code) || is_in(kWithEitherOperand, code & ~BPF_X);
}

// bpf_validate() lets a jump go back, for protochain; such a program need not end.
bool goes_forward(std::span<const FilterInstruction> program) {
  for (std::size_t i = 0; i < program.size(); ++i) {
    const bool is_jump = program[i].code == (BPF_JMP | BPF_JA);
    if (is_jump && program[i].k >= program.size() - i - 1) return false;
  }
  return true;
}

// Numbers with a character between them.
class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  template <class T>
  T next() {
    T number{};
    const auto [rest, failure] = std::from_chars(at_, end_, number);
    is_good_ = is_good_ && failure == std::errc{};
    at_ = rest;
    return number;
  }
  void expect(char separator) {
    is_good_ = is_good_ && at_ != end_ && *at_ == separator;
    if (is_good_) ++at_;
  }
  bool is_good() const { return is_good_; }
  bool is_whole() const { return is_good_ && at_ == end_; }

 private:
  const char* at_;
  const char* end_;
  bool is_good_ = true;
};

}  // namespace

Result<UncheckedFilter> UncheckedFilter::of(std::span<const FilterInstruction> instructions) {
  constexpr std::size_t kMost = FlowFilter::kMaxInstructions;
  if (instructions.size() > kMost)
    return refused("the filter has " + std::to_string(instructions.size()) + " instructions, and " +
                   std::to_string(kMost) + " are the most");
  auto program = std::make_shared<FlowFilter::Program>();
  for (const FilterInstruction& one : instructions)
    program->instructions.push_back({one.code, one.jump_true, one.jump_false, one.k});
  const auto knows = [](const FilterInstruction& one) { return is_known(one.code); };
  const auto length = static_cast<int>(instructions.size());
  if (!std::all_of(instructions.begin(), instructions.end(), knows) ||
      !goes_forward(instructions) || bpf_validate(program->instructions.data(), length) == 0)
    return refused("the filter is no valid program, or loops");
  return UncheckedFilter(instructions, std::move(program));
}

std::optional<Result<FlowFilter>> UncheckedFilter::step() {
  if (next_layout_ == kFilterLayouts) {
    if (!can_match_)
      return refused("no flow could match", "flows are of IPv4 or IPv6, with up to two VLAN tags");
    return FlowFilter(program_);
  }
  FilterFindings findings;
  look_through(instructions_, next_layout_++, findings);
  can_match_ = can_match_ || findings.can_match;
  if (findings.untold.empty()) return std::nullopt;
  return refused("flows can't tell " + findings.untold,
                 "they tell VLAN ids, EtherType, IP version, protocol, addresses and ports");
}

Result<UncheckedFilter> UncheckedFilter::parse(std::string_view text) {
  NumberReader read(text);
  const auto count = read.next<std::size_t>();
  std::vector<FilterInstruction> instructions;
  for (std::size_t i = 0; i < count && i < FlowFilter::kMaxInstructions && read.is_good(); ++i) {
    FilterInstruction one;
    read.expect(',');
    one.code = read.next<std::uint16_t>();
    read.expect(' ');
    one.jump_true = read.next<std::uint8_t>();
    read.expect(' ');
    one.jump_false = read.next<std::uint8_t>();
    read.expect(' ');
    one.k = read.next<std::uint32_t>();
    instructions.push_back(one);
  }
  if (!read.is_whole() || instructions.size() != count)
    return refused("the filter's instructions can't be read");
  return of(instructions);
}

namespace {

Result<FlowFilter> checked(Result<UncheckedFilter> filter) {
  if (!filter) return filter.error();
  for (;;)
    if (auto done = filter->step()) return std::move(*done);
}

}  // namespace

Result<FlowFilter> FlowFilter::of(std::span<const FilterInstruction> instructions) {
  return checked(UncheckedFilter::of(instructions));
}

Result<FlowFilter> FlowFilter::parse(std::string_view text) {
  return checked(UncheckedFilter::parse(text));
}

std::string FlowFilter::text() const {
  std::string text = std::to_string(program_->instructions.size());
  for (const bpf_insn& one : program_->instructions)
    text += ',' + std::to_string(one.code) + ' ' + std::to_string(one.jt) + ' ' +
            std::to_string(one.jf) + ' ' + std::to_string(one.k);
  return text;
}

std::size_t FlowFilter::instructions() const { return program_->instructions.size(); }

bool FlowFilter::matches(const Ends& ends) const {
  if (ends.ip_version == 0) return false;
  const auto would_match = [&](bool to_server) {
    const FlowFrame frame = flow_frame(ends, to_server);
    const auto size = static_cast<unsigned>(frame.size);
    return bpf_filter(program_->instructions.data(), frame.bytes.data(), size, size) != 0;
  };
  return would_match(true) || would_match(false);
}

}  // namespace nids
