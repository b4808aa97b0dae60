// SPDX-License-Identifier: Apache-2.0
#include "cli/when.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr WallTime kNow{1'795'341'600 * kSecond};  // 2026-11-22T10:00:00Z

std::uint64_t seconds(std::string_view text) {
  const auto time = parse_when(text, kNow);
  EXPECT_TRUE(time) << text;
  return time ? time->ns / kSecond : 0;
}

TEST(When, TakesIso8601WithAZone) {
  for (const char* text : {"2026-11-22T10:00:00Z", "2026-11-22 10:00:00Z", "2026-11-22T10:00Z",
                           "2026-11-22T10:00:00+0000", "2026-11-22T11:00:00+01:00",
                           "2026-11-22T04:30:00-0530", "2026-11-22T10:00:00.000Z"})
    EXPECT_EQ(seconds(text), 1'795'341'600u) << text;
  EXPECT_EQ(parse_when("2026-11-22T10:00:00.123456789123Z", kNow)->ns, kNow.ns + 123'456'789);
  EXPECT_EQ(seconds("2024-02-29T00:00:00Z"), 1'709'164'800u);
  EXPECT_EQ(seconds("1970-01-01Z"), 0u);
}

TEST(When, WithoutAZoneItIsUtcWhateverTheZoneOfTheCaller) {
  const char* before = std::getenv("TZ");
  const std::string old = before == nullptr ? "" : before;
  ::setenv("TZ", "XXX-2", 1);  // two hours east
  ::tzset();
  EXPECT_EQ(seconds("2026-11-22T10:00:00"), 1'795'341'600u);
  EXPECT_EQ(seconds("2026-11-22"), 1'795'341'600u - 10 * 3600);
  before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", old.c_str(), 1);
  ::tzset();
}

TEST(When, TakesHowLongAgo) {
  EXPECT_EQ(parse_when("now", kNow)->ns, kNow.ns);
  EXPECT_EQ(seconds("10m"), 1'795'341'600u - 600);
  EXPECT_EQ(seconds("-1h"), 1'795'341'600u - 3600);
  EXPECT_EQ(seconds("2d"), 1'795'341'600u - 2 * 86'400);
  EXPECT_EQ(parse_when("500ms", kNow)->ns, kNow.ns - 500'000'000);
  EXPECT_EQ(seconds("900000d"), 0u) << "before any time is the beginning";
}

TEST(When, SinceIsNotLaterThanUntil) {
  EXPECT_TRUE(in_order({}, {}));
  EXPECT_TRUE(in_order(kNow, {}));
  EXPECT_TRUE(in_order({}, kNow));
  EXPECT_TRUE(in_order(kNow, kNow));
  EXPECT_FALSE(in_order(WallTime{kNow.ns + 1}, kNow));
}

TEST(When, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "-",
                           "yesterday",
                           "2026",
                           "2026-11",
                           "2026-11-22T",
                           "2026-11-22T10",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-11-31",
                           "2025-02-29",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T10:60Z",
                           "2026-11-22T10:00:00.Z",
                           "2026-11-22T10:00:00ZZ",
                           "2026-11-22T10:00:00+1",
                           "2026-11-22T10:00:00+9900",
                           "2026-11-22x",
                           "+2026-11-22",
                           "1969-12-31T23:59:59Z",
                           "9999-12-31T00:00:00Z",
                           "--1h",
                           "1",
                           "h",
                           "-d",
                           "99999999999999999999d",
                           "1x"}) {
    const auto time = parse_when(text, kNow);
    EXPECT_FALSE(time) << text;
    if (time) continue;
    EXPECT_NE(time.error().message().find("how long ago"), std::string::npos);
  }
}

}  // namespace
}  // namespace nids
