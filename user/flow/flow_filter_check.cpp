// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_filter_check.hpp"

#include <netinet/in.h>
#include <pcap/bpf.h>

#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "flow/flow_frame.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kAncillary = 0x80000000;  // offsets from there on are the kernel's own

// A register, bit by bit: the same in all flows of a layout, varying with the flow, or untold.
struct Value {
  std::uint32_t bits = 0;
  std::uint32_t varying = 0;
  std::uint32_t untold = 0;
  const char* field = nullptr;  // what `untold` belongs to

  static Value untold_all(const char* field) { return {.untold = kAll, .field = field}; }
  bool is_constant() const { return varying == 0 && untold == 0; }

  Value masked(std::uint32_t mask) const {
    return {bits & mask, varying & mask, untold & mask, field};
  }
  Value shifted(bool left, std::uint32_t by) const {
    if (by >= 32) return {};
    const auto shift = [left, by](std::uint32_t word) { return left ? word << by : word >> by; };
    return {shift(bits), shift(varying), shift(untold), field};
  }
  void join(const Value& other) {
    varying |= other.varying | (bits ^ other.bits);
    untold |= other.untold;
    bits &= ~varying;
    if (field == nullptr) field = other.field;
  }
};

struct Machine {
  Value a, x;
  std::array<Value, BPF_MEMWORDS> memory;

  void join(const Machine& other) {
    a.join(other.a);
    x.join(other.x);
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i].join(other.memory[i]);
  }
};

std::optional<std::uint32_t> computed(std::uint16_t operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_DIV:
      return b == 0 ? std::nullopt : std::optional(a / b);
    case BPF_MOD:
      return b == 0 ? std::nullopt : std::optional(a % b);
    case BPF_OR:
      return a | b;
    case BPF_XOR:
      return a ^ b;
    case BPF_AND:
      return a & b;
    case BPF_LSH:
      return b < 32 ? a << b : 0;
    case BPF_RSH:
      return b < 32 ? a >> b : 0;
    default:
      return std::nullopt;
  }
}

bool holds(std::uint16_t comparison, std::uint32_t a, std::uint32_t b) {
  switch (comparison) {
    case BPF_JEQ:
      return a == b;
    case BPF_JGT:
      return a > b;
    case BPF_JGE:
      return a >= b;
    default:
      return (a & b) != 0;  // BPF_JSET
  }
}

// All flows of one layout at once. A jump goes both ways where it depends on the flow, and ways
// that meet join: since jumps go forward, each instruction is done once.
class Walk {
 public:
  Walk(std::span<const FilterInstruction> program, const FrameLayout& layout,
       std::vector<std::optional<Machine>>& reached)
      : program_(program), layout_(layout), reached_(reached) {
    reached_.assign(program.size(), std::nullopt);
    reached_[0].emplace();
    reached_[0]->memory.fill(Value::untold_all("memory that it never wrote"));
  }

  void go() {
    for (at_ = 0; at_ < program_.size() && untold_ == nullptr; ++at_) {
      if (!reached_[at_]) continue;
      machine_ = *reached_[at_];
      step(program_[at_]);
    }
  }

  const char* untold() const { return untold_; }
  bool can_match() const { return can_match_; }

 private:
  void step(const FilterInstruction& one) {
    switch (BPF_CLASS(one.code)) {
      case BPF_LD:
        machine_.a = loaded(one);
        return next();
      case BPF_LDX:
        machine_.x = BPF_MODE(one.code) == BPF_MSH ? packet(one.k, 1).masked(0x0f).shifted(true, 2)
                                                   : loaded(one);
        return next();
      case BPF_ST:
        machine_.memory[one.k % BPF_MEMWORDS] = machine_.a;
        return next();
      case BPF_STX:
        machine_.memory[one.k % BPF_MEMWORDS] = machine_.x;
        return next();
      case BPF_ALU:
        return calculate(one);
      case BPF_JMP:
        return jump(one);
      case BPF_RET:
        return finish(BPF_RVAL(one.code) == BPF_K ? Value{.bits = one.k} : machine_.a);
      default:  // BPF_MISC
        (BPF_MISCOP(one.code) == BPF_TAX ? machine_.x : machine_.a) =
            BPF_MISCOP(one.code) == BPF_TAX ? machine_.a : machine_.x;
        return next();
    }
  }

  Value loaded(const FilterInstruction& one) {
    const unsigned size = BPF_SIZE(one.code) == BPF_W ? 4 : BPF_SIZE(one.code) == BPF_H ? 2 : 1;
    switch (BPF_MODE(one.code)) {
      case BPF_IMM:
        return {.bits = one.k};
      case BPF_MEM:
        return machine_.memory[one.k % BPF_MEMWORDS];
      case BPF_ABS:
        return packet(one.k, size);
      case BPF_IND:
        if (!machine_.x.is_constant()) return Value::untold_all("what stands at a varying place");
        return packet(machine_.x.bits + one.k, size);
      default:  // BPF_LEN
        return Value::untold_all("lengths");
    }
  }

  Value packet(std::uint32_t offset, unsigned size) const {
    if (offset >= kAncillary) return Value::untold_all("what only a live interface knows");
    Value value;
    for (unsigned i = 0; i < size; ++i) {
      const FrameByte byte = layout_.at(offset + i);
      value = value.shifted(true, 8);
      value.bits |= byte.value;
      value.varying |= byte.varying;
      value.untold |= byte.untold;
      if (byte.untold != 0 && value.field == nullptr) value.field = byte.field;
    }
    return value;
  }

  void calculate(const FilterInstruction& one) {
    Value& a = machine_.a;
    const auto operation = static_cast<std::uint16_t>(BPF_OP(one.code));
    const Value operand = BPF_SRC(one.code) == BPF_X ? machine_.x : Value{.bits = one.k};
    if (operand.is_constant() && operation == BPF_AND) {
      a = a.masked(operand.bits);
      return next();
    }
    if (operand.is_constant() && (operation == BPF_LSH || operation == BPF_RSH)) {
      a = a.shifted(operation == BPF_LSH, operand.bits);
      return next();
    }
    use(a);
    if (operation == BPF_NEG) {
      a = a.is_constant() ? Value{.bits = 0 - a.bits} : Value{.varying = kAll};
      return next();
    }
    use(operand);
    if (!a.is_constant() || !operand.is_constant()) {
      a = Value{.varying = kAll};
      return next();
    }
    const auto result = computed(operation, a.bits, operand.bits);
    if (!result) return;  // division by 0 ends a program, without a match
    a = Value{.bits = *result};
    next();
  }

  void jump(const FilterInstruction& one) {
    const auto comparison = static_cast<std::uint16_t>(BPF_OP(one.code));
    if (comparison == BPF_JA) return reach(one.k);
    const Value operand = BPF_SRC(one.code) == BPF_X ? machine_.x : Value{.bits = one.k};
    use(operand);
    const bool is_mask = comparison == BPF_JSET && operand.is_constant();
    const Value a = is_mask ? machine_.a.masked(operand.bits) : machine_.a;
    use(a);
    if (a.is_constant() && operand.is_constant())
      return reach(holds(comparison, a.bits, operand.bits) ? one.jump_true : one.jump_false);
    reach(one.jump_true);
    reach(one.jump_false);
  }

  void finish(const Value& verdict) {
    use(verdict);
    can_match_ = can_match_ || verdict.bits != 0 || verdict.varying != 0;
  }

  // What a decision or a calculation depends on. To load a thing and not use it is no question.
  void use(const Value& value) {
    if (value.untold != 0 && untold_ == nullptr)
      untold_ = value.field == nullptr ? "that" : value.field;
  }

  void next() { reach(0); }
  void reach(std::uint32_t distance) {
    auto& target = reached_[at_ + 1 + distance];
    if (target)
      target->join(machine_);
    else
      target = machine_;
  }

  std::span<const FilterInstruction> program_;
  const FrameLayout& layout_;
  std::vector<std::optional<Machine>>& reached_;
  Machine machine_;
  std::size_t at_ = 0;
  const char* untold_ = nullptr;
  bool can_match_ = false;
};

}  // namespace

void look_through(std::span<const FilterInstruction> program, unsigned layout,
                  FilterFindings& findings) {
  const auto l4_proto = static_cast<std::uint8_t>(layout % 256);
  const std::uint8_t ip_version = layout / 256 % 2 == 0 ? 4 : 6;
  // libpcap looks behind a fragment header, which is never what a flow is of.
  if (ip_version == 6 && l4_proto == IPPROTO_FRAGMENT) return;
  std::vector<std::optional<Machine>> reached;
  const FrameLayout frame(layout / 512, ip_version, l4_proto);
  Walk walk(program, frame, reached);
  walk.go();
  if (walk.untold() != nullptr) findings.untold = walk.untold();
  findings.can_match = findings.can_match || walk.can_match();
}

}  // namespace nids
