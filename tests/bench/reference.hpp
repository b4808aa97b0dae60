// SPDX-License-Identifier: Apache-2.0
// The programs that ours is measured against, and those that turn one frame into packets of many
// flows; loaded, on no interface. Knows nothing of the program under test but its descriptor.
#pragma once

#include <cstdint>
#include <memory>

#include "counted.hpp"
#include "nids/result.hpp"

struct reference_bpf;

namespace nids::bench {

class Reference {
 public:
  // `flows` of each table; 0: neither HASH nor LRU is loaded. `lines`: a power of two.
  [[nodiscard]] static Result<Reference> load(std::uint32_t flows, std::uint32_t lines);

  int pass() const;
  int parse() const;  // parse and its counters, no flows
  int hash() const;
  int lru() const;
  int line() const;                          // one cache line of as many, by the flow
  Counted counted(std::uint32_t cpu) const;  // of parse, HASH and LRU together

  int random() const;  // goes on in aim()'s program as a flow below `flows`
  int next() const;    // the same, as the flow that comes next
  [[nodiscard]] Result<void> aim(int program);
  // A power of two; the next flow is number `next`.
  [[nodiscard]] Result<void> set_flows(std::uint32_t flows, std::uint64_t next);

 private:
  struct Unload {
    void operator()(reference_bpf* skeleton) const noexcept;
  };
  Reference() = default;

  std::unique_ptr<reference_bpf, Unload> skeleton_;
};

}  // namespace nids::bench
