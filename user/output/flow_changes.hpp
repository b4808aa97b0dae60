// SPDX-License-Identifier: Apache-2.0
// A bounded queue of flow changes from the workers to the control thread, for clients that follow
// them. A change that does not fit is left out and counted.
#pragma once

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "flow/flow_record.hpp"
#include "flow/flow_ref.hpp"

namespace nids {

class FlowChanges {
 public:
  struct Change {
    FlowChange kind;
    std::uint8_t class_id;
    FlowRecord record;  // as the flow was then; it may have ended since
  };
  explicit FlowChanges(std::size_t limit) : limit_(limit) {}

  // For workers. While nobody follows, a worker need not make the record.
  bool is_followed() const { return is_followed_; }
  void add(Change change) {
    const std::lock_guard lock(mutex_);
    if (!is_followed_) return;
    if (changes_.size() < limit_)
      changes_.push_back(std::move(change));
    else
      ++left_out_;
  }

  // All below is for the control thread. follow() drops the changes that wait, whether it begins
  // or ends the following.
  void follow(bool is_followed) {
    const std::lock_guard lock(mutex_);
    is_followed_ = is_followed;
    changes_.clear();
    left_out_ = 0;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return changes_.empty();
  }
  std::optional<Change> take() {
    const std::lock_guard lock(mutex_);
    if (changes_.empty()) return std::nullopt;
    std::optional<Change> first = std::move(changes_.front());
    changes_.pop_front();
    return first;
  }
  std::bitset<256> classes() const {
    const std::lock_guard lock(mutex_);
    std::bitset<256> found;
    for (const Change& one : changes_) found.set(one.class_id);
    return found;
  }
  // Replaces each class index by the element of `to` at that index.
  void change_classes(std::span<const std::uint8_t, 256> to) {
    const std::lock_guard lock(mutex_);
    for (Change& one : changes_) one.class_id = to[one.class_id];
  }
  // How many changes were left out since the last call.
  std::uint64_t take_left_out() {
    const std::lock_guard lock(mutex_);
    return std::exchange(left_out_, 0);
  }

 private:
  const std::size_t limit_;
  std::atomic<bool> is_followed_ = false;
  mutable std::mutex mutex_;
  std::deque<Change> changes_;
  std::uint64_t left_out_ = 0;
};

}  // namespace nids
