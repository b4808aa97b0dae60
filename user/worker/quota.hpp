// SPDX-License-Identifier: Apache-2.0
// Limits what all workers together analyse and store. Every packet is counted, also those beyond
// the limits.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "worker/selection.hpp"

namespace nids {

// All calls are thread-safe.
class Quota {
 public:
  explicit Quota(Selection selection) : selection_(std::move(selection)) {}

  bool selects(const Packet& packet) const {
    return !selection_.filter || selection_.filter->matches(packet);
  }
  bool has_filter() const { return selection_.filter.has_value(); }
  bool keeps_none() const { return selection_.max_kept == 0; }
  // If true, packets are only counted from now on.
  bool has_enough() const { return suspicious_ >= selection_.max_suspicious; }
  // Call it for a packet that raised alerts. Returns false if the limit was reached before.
  [[nodiscard]] bool take_suspicious() { return suspicious_++ < selection_.max_suspicious; }
  // Call it for a packet that is to be stored. Returns false if the limit was reached before.
  [[nodiscard]] bool take_kept() { return kept_++ < selection_.max_kept; }

 private:
  const Selection selection_;
  std::atomic<std::uint64_t> suspicious_ = 0, kept_ = 0;  // packets so far
};

}  // namespace nids
