// SPDX-License-Identifier: Apache-2.0
// When to look at how many slots of the flow tables: once a second at all of them, a bounded number
// between two drains of the rings, and in all a small share of the agent's thread. After the last
// slot, flows that are over are reported, also a bounded number between two drains. Reads no
// table.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

namespace nids {

class FlowScans {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Now = std::function<Time()>;
  // Looks at so many slots more; returns whether the last of all was among them.
  using Look = std::function<bool(std::size_t slots)>;
  // Reports at most `flows` flows that are over; returns whether none is left.
  using Report = std::function<bool(std::size_t flows)>;

  FlowScans(Look look, Report report, Now now = std::chrono::steady_clock::now);

  // After each drain of the rings, which may have left records there: `has_more`.
  void go_on(bool has_more);
  // Whether a scan has begun and not ended: with the rings empty it goes on at once.
  bool is_under_way() const { return is_under_way_; }
  // How long the last complete look at all slots took, pauses included; 0: there was none yet.
  Time::duration last_sweep() const { return last_sweep_; }

  static constexpr std::size_t kSlots = 2048;  // 2 ms at most, where all of them have changed
  static constexpr std::size_t kFlows = 256;   // 2 ms at most, with their records written
  static constexpr auto kEvery = std::chrono::seconds(1);
  static constexpr int kShare = 20;  // a twentieth

 private:
  Look look_;
  Report report_;
  Now now_;
  bool is_under_way_ = false, is_reporting_ = false;
  Time began_, next_;
  Time::duration last_sweep_{};
  Time::duration unpaid_{};  // looks that no time without any has followed yet
};

}  // namespace nids
