// SPDX-License-Identifier: Apache-2.0
#include "cli/columns.hpp"

#include <gtest/gtest.h>

#include "cli/ends_text.hpp"

namespace nids {
namespace {

TextTable sample() {
  TextTable table({{.header = "N", .is_right = true, .sacrifice = 1},
                   {.header = "END", .is_address = true},
                   {.header = "WHAT", .may_end_at = 6}});
  table.add({"1", "192.168.100.200:50000", "scan"});
  table.add({"23", "[2001:db8:1111:2222::3333]:22", "a text that goes on"});
  return table;
}

TEST(Columns, AreAsWideAsTheirWidestCell) {
  const std::string all =
      " N END                           WHAT\n"
      " 1 192.168.100.200:50000         scan\n"
      "23 [2001:db8:1111:2222::3333]:22 a text that goes on\n";
  EXPECT_EQ(sample().text(0, false), all);
  EXPECT_EQ(sample().text(52, false), all);
}

TEST(Columns, AddressesAreShortenedFirstAndOnlyThoseOfIpv6) {
  EXPECT_EQ(sample().text(47, false),
            " N END                      WHAT\n"
            " 1 192.168.100.200:50000    scan\n"
            "23 [2001:db8:\u2026"
            "222::3333]:22 a text that goes on\n");
}

TEST(Columns, ThenTextsThenSomeAreLeftOut) {
  EXPECT_EQ(sample().text(32, false),
            " N END                   WHAT\n"
            " 1 192.168.100.200:50000 scan\n"
            "23 [2001:db8\u2026"
            "2::3333]:22 a text\u2026\n");
  EXPECT_EQ(sample().text(29, false),
            "END                   WHAT\n"
            "192.168.100.200:50000 scan\n"
            "[2001:db8\u2026"
            "2::3333]:22 a text\u2026\n");
  EXPECT_EQ(sample().text(26, false),
            "END                   WHAT\n"
            "192.168.100.200:50000 scan\n"
            "[2001:db8\u2026"
            "2::3333]:22 a t\u2026\n");
}

TEST(Columns, WithoutRowsThereIsTheHeader) {
  EXPECT_EQ(TextTable({{.header = "A"}}).text(1, false), "A\n");
}

TEST(ShortMoment, TellsTheYearWhereItIsAnotherOne) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const WallTime time{1'795'341'600 * kSecond};  // 2026-11-22T10:00:00
  EXPECT_EQ(moment_text(time), "2026-11-22 10:00:00");
  EXPECT_EQ(short_moment_text(time, {time.ns + 86'400 * kSecond}), "11-22 10:00:00");
  EXPECT_EQ(short_moment_text(time, {time.ns + 60 * 86'400 * kSecond}), "2026-11-22 10:00");
}

}  // namespace
}  // namespace nids
