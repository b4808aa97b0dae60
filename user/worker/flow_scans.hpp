// SPDX-License-Identifier: Apache-2.0
// Decides when a worker looks at how many slots of the flow tables. It looks at all of its slots
// once a second, a bounded number between two drains of the rings, and uses a small share of the
// worker's thread. After the last slot it reports the flows that are over, also a bounded number
// between two drains. Reads no table.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

namespace nids {

class FlowScans {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Now = std::function<Time()>;
  // Looks at `slots` more slots; returns whether the last slot was among them.
  using Look = std::function<bool(std::size_t slots)>;
  // Reports at most `flows` flows that are over; returns whether none is left.
  using Report = std::function<bool(std::size_t flows)>;

  FlowScans(Look look, Report report, Now now = std::chrono::steady_clock::now);

  // Call it after each drain of the rings. `has_more`: the drain left records there.
  void go_on(bool has_more);
  // Whether a scan has begun and not ended. With empty rings it continues at once.
  bool is_under_way() const { return is_under_way_; }
  // How long the last complete look at all slots took, pauses included; 0: none has ended yet.
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
