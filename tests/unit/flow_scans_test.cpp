// SPDX-License-Identifier: Apache-2.0
// When slots are looked at, by a clock of the test's own: also while the rings are never empty.
#include "worker/flow_scans.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace nids {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FlowScansTest : public testing::Test {
 protected:
  // A look takes `look_takes_`, and the scan as many looks as `looks_a_scan_`.
  bool look(std::size_t slots) {
    largest_look_ = std::max(largest_look_, slots);
    now_ += look_takes_;
    looking_ += look_takes_;
    if (++looks_ % looks_a_scan_ != 0) return false;
    ++scans_;
    return true;
  }

  bool report(std::size_t flows) {
    EXPECT_EQ(flows, FlowScans::kFlows);
    now_ += report_takes_;
    reporting_ += report_takes_;
    return ++reports_ % reports_a_scan_ == 0;
  }

  // As the agent does: drains, then looks, again and again.
  void run(FlowScans::Time::duration time, bool has_more) {
    for (const auto end = now_ + time; now_ < end;) {
      now_ += has_more ? kDrain : scans_now_.is_under_way() ? microseconds(1) : kIdle;
      scans_now_.go_on(has_more);
    }
  }

  static constexpr microseconds kDrain{4'000}, kIdle{20'000};
  FlowScans::Time now_{};
  microseconds look_takes_{100};
  std::size_t looks_ = 0, looks_a_scan_ = 64, scans_ = 0, largest_look_ = 0;
  FlowScans::Time::duration looking_{}, reporting_{};
  microseconds report_takes_{0};
  std::size_t reports_ = 0, reports_a_scan_ = 1;
  FlowScans scans_now_{[this](std::size_t slots) { return look(slots); },
                       [this](std::size_t flows) { return report(flows); },
                       [this] { return now_; }};
};

TEST_F(FlowScansTest, EverySecondWhileTheRingsAreEmpty) {
  run(seconds(10), false);
  EXPECT_GE(scans_, 9u);
  EXPECT_LE(scans_, 10u);
  const auto looking = 64 * look_takes_;
  EXPECT_GE(scans_now_.last_sweep(), looking);
  EXPECT_LE(scans_now_.last_sweep(), looking + 64 * microseconds(1));
}

TEST_F(FlowScansTest, GoesOnWhileTheRingsAreNeverEmpty) {
  run(seconds(10), true);
  EXPECT_GE(scans_, 8u);
  EXPECT_LE(scans_, 10u);
  EXPECT_EQ(largest_look_, FlowScans::kSlots);
}

// The reports after a flood take seconds. They must not delay the scans after it by minutes.
TEST_F(FlowScansTest, ALongReportDelaysNoScanOnceItIsWritten) {
  report_takes_ = milliseconds(2);
  reports_a_scan_ = 1'000;
  run(milliseconds(3'100), false);
  EXPECT_EQ(scans_, 1u);
  EXPECT_FALSE(scans_now_.is_under_way());
  reports_a_scan_ = 1;
  run(seconds(2), false);
  EXPECT_GE(scans_, 2u);
}

TEST_F(FlowScansTest, OneReportAtMostBetweenTwoDrains) {
  looks_a_scan_ = 1;
  reports_a_scan_ = 1'000;
  now_ += seconds(2);
  for (std::size_t i = 1; i < 500; ++i) {
    now_ += kDrain;
    scans_now_.go_on(true);
    EXPECT_LE(reports_, i);
  }
  EXPECT_GT(reports_, 100u);
}

TEST_F(FlowScansTest, ReportsTakeATwentiethOfTheTimeWhileTheRingsAreNeverEmpty) {
  report_takes_ = milliseconds(2);
  reports_a_scan_ = 10'000;
  run(seconds(60), true);
  EXPECT_LE(reporting_, seconds(60) / 18);
  EXPECT_GE(reporting_, seconds(60) / 40);
}

TEST_F(FlowScansTest, OneLookAtMostBetweenTwoDrains) {
  looks_a_scan_ = 1'000;
  now_ += seconds(2);
  for (std::size_t i = 1; i < 500; ++i) {
    now_ += kDrain;
    scans_now_.go_on(true);
    EXPECT_LE(looks_, i);
  }
}

TEST_F(FlowScansTest, TakesATwentiethOfTheTimeWhateverALookCosts) {
  look_takes_ = microseconds(2'000);
  looks_a_scan_ = 10'000;
  for (const bool has_more : {true, false, true}) {
    looking_ = {};
    const auto before = now_;
    run(seconds(600), has_more);
    EXPECT_LE(looking_, (now_ - before) / 18) << has_more;
    EXPECT_GE(looking_, (now_ - before) / 40) << has_more;
  }
}

TEST_F(FlowScansTest, OnceTheRingsAreEmptyTheScanIsFinishedAtOnce) {
  look_takes_ = microseconds(2'000);
  now_ += seconds(2);
  scans_now_.go_on(true);
  EXPECT_TRUE(scans_now_.is_under_way());
  run(milliseconds(200), false);
  EXPECT_EQ(scans_, 1u);
}

}  // namespace
}  // namespace nids
