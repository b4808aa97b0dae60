// SPDX-License-Identifier: Apache-2.0
#include "log/eve_json.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

TEST(EveTimestamp, HasMicrosecondsAndANumericZone) {
  EXPECT_EQ(eve_timestamp({1795341600'000'001'999}), "2026-11-22T10:00:00.000001+0000");
  EXPECT_EQ(eve_timestamp({0}), "1970-01-01T00:00:00.000000+0000");
}

TEST(EveTimestamp, IsReadBackInItsOwnFormOnly) {
  const std::string text = "2026-11-22T10:00:00.000001+0000";
  ASSERT_TRUE(parse_eve_timestamp(text));
  EXPECT_EQ(parse_eve_timestamp(text)->ns, 1795341600'000'001'000u);
  for (const char* wrong :
       {"", "2026-11-22", "2026-11-22T10:00:00.000001", "2026-11-22T10:00:00.000001+0100",
        "2026-11-22T10:00:00.000001+0000 ", "2026-11-31T10:00:00.000001+0000",
        "2026-11-22T10:00:00.1+0000", "1969-12-31T23:59:59.000000+0000",
        "9999-12-31T23:59:59.000000+0000", "2026-11-22T 9:00:00.000001+0000"})
    EXPECT_FALSE(parse_eve_timestamp(wrong)) << wrong;
}

TEST(ProtocolName, EveryNumberIsFoundByItsName) {
  for (unsigned number = 0; number <= 255; ++number)
    EXPECT_EQ(protocol_number(protocol_name(static_cast<std::uint8_t>(number))), number);
  EXPECT_EQ(protocol_name(253), "253");
  EXPECT_FALSE(protocol_number("tcp"));
  EXPECT_FALSE(protocol_number("256"));
}

}  // namespace
}  // namespace nids
