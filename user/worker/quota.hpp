// SPDX-License-Identifier: Apache-2.0
// How much is analysed and stored, of all workers together. Every packet is counted, whatever
// stands here.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "worker/selection.hpp"

namespace nids {

// Any thread may call it.
class Quota {
 public:
  explicit Quota(Selection selection) : selection_(std::move(selection)) {}

  bool selects(const Packet& packet) const {
    return !selection_.filter || selection_.filter->matches(packet);
  }
  bool has_filter() const { return selection_.filter.has_value(); }
  bool keeps_none() const { return selection_.max_kept == 0; }
  // Later packets are only counted.
  bool has_enough() const { return suspicious_ >= selection_.max_suspicious; }
  // For a packet that raised alerts. False: others were enough meanwhile.
  [[nodiscard]] bool take_suspicious() { return suspicious_++ < selection_.max_suspicious; }
  // For a packet that is to be stored.
  [[nodiscard]] bool take_kept() { return kept_++ < selection_.max_kept; }

 private:
  const Selection selection_;
  std::atomic<std::uint64_t> suspicious_ = 0, kept_ = 0;  // packets so far
};

}  // namespace nids
