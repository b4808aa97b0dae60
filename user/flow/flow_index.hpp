// SPDX-License-Identifier: Apache-2.0
// Finds the place of a flow in the pool by the key, tunnel and link of the flow. Grows one part at
// a time, so that no insertion takes long (linear hashing: Litwin 1980). For one thread.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "flow/chunks.hpp"
#include "flow/flow.hpp"
#include "net/flow_identity.hpp"

namespace nids {

class FlowIndex {
 public:
  static constexpr std::uint32_t kNone = 0;  // place 0 is never used

  // The pool must outlive the index.
  explicit FlowIndex(const Chunks<Flow>& pool);

  std::uint32_t find(const FlowIdentity& flow, std::uint32_t link) const;
  // The flow must be in the pool at `place`. Its key, tunnel and link must not change until
  // erase().
  void insert(std::uint32_t place);
  void erase(std::uint32_t place);

 private:
  struct Wanted {
    const FlowIdentity& flow;
    std::uint32_t link;
    std::uint32_t hash;
  };
  struct Hash {
    using is_transparent = void;
    const Chunks<Flow>* pool;
    std::size_t operator()(std::uint32_t place) const noexcept;
    std::size_t operator()(const Wanted& wanted) const noexcept { return wanted.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const Chunks<Flow>* pool;
    bool operator()(std::uint32_t a, std::uint32_t b) const noexcept { return a == b; }
    bool operator()(const Wanted& wanted, std::uint32_t place) const noexcept;
    bool operator()(std::uint32_t place, const Wanted& wanted) const noexcept {
      return (*this)(wanted, place);
    }
  };
  using Part = boost::unordered_flat_set<std::uint32_t, Hash, Equal>;

  std::size_t part_of(std::size_t hash) const;
  void split();

  const Hash hash_;
  std::vector<Part> parts_;
  std::size_t size_ = 0;
};

}  // namespace nids
