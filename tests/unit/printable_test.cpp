// SPDX-License-Identifier: Apache-2.0
#include "decode/printable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "decode/packet.hpp"

namespace nids {
namespace {

using namespace std::string_literals;

TEST(Printable, PlainTextAndOtherScriptsStayAsTheyAre) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("SSH-2.0-OpenSSH_9.2p1 Debian\\n \"quoted\""),
            "SSH-2.0-OpenSSH_9.2p1 Debian\\n \"quoted\"");
  EXPECT_EQ(printable("Zürich 東京 Привет 🦈 \u00a0"),
            "Zürich 東京 Привет 🦈 \u00a0");
}

TEST(Printable, TerminalEscapesLoseTheirEscapeCharacter) {
  EXPECT_EQ(printable("\x1b[2J\x1b]0;owned\x07"), "\\x1b[2J\\x1b]0;owned\\x07");
}

TEST(Printable, EveryAsciiControlIsEscapedNulAndNewlineIncluded) {
  EXPECT_EQ(printable("a\0b\r\n\t\x7f"s), "a\\x00b\\x0d\\x0a\\x09\\x7f");
}

TEST(Printable, C1ControlsInUtf8FormAreEscaped) {
  EXPECT_EQ(printable("\u0080\u0085\u009b31m\u009f"), "\\x80\\x85\\x9b31m\\x9f");
}

TEST(Printable, C1ControlsAsBareBytesAreNotUtf8) { EXPECT_EQ(printable("\x9b"), "\ufffd"); }

TEST(Printable, BidirectionalControlsAndLineSeparatorsAreEscaped) {
  EXPECT_EQ(printable("\u202a\u202e\u2066\u2069"), "\\u202a\\u202e\\u2066\\u2069");
  EXPECT_EQ(printable("one\u2028two\u2029"), "one\\u2028two\\u2029");
  EXPECT_EQ(printable("\u2027\u202f\u2065\u206a"), "\u2027\u202f\u2065\u206a");
}

TEST(Printable, EachByteOfAnOverlongFormIsReplaced) {
  EXPECT_EQ(printable("\xc0\x80"), "\ufffd\ufffd");
  EXPECT_EQ(printable("\xc1\xbf"), "\ufffd\ufffd");
  EXPECT_EQ(printable("\xe0\x80\x9b"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(printable("\xf0\x8f\xbf\xbf"), "\ufffd\ufffd\ufffd\ufffd");
}

TEST(Printable, SurrogatesAndWhatIsPastUnicodeAreReplaced) {
  EXPECT_EQ(printable("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(printable("\xf5\xff"), "\ufffd\ufffd");
  EXPECT_EQ(printable("\xed\x9f\xbf\xf4\x8f\xbf\xbf"), "\xed\x9f\xbf\xf4\x8f\xbf\xbf");
}

TEST(Printable, ASequenceThatTheTextCutsShortIsReplacedAndWhatFollowsOneIsKept) {
  EXPECT_EQ(printable("ab\xe2\x80"), "ab\ufffd\ufffd");
  EXPECT_EQ(printable("\xe2(\xc3"), "\ufffd(\ufffd");
}

TEST(Printable, PastTheLimitAnEllipsisStandsForTheRest) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(printable("x", 0), "…");
  EXPECT_EQ(printable("", 0), "");
}

TEST(Printable, TheLimitNeverSplitsACharacter) {
  EXPECT_EQ(printable("abü", 3), "ab…");
  EXPECT_EQ(printable("abü", 4), "abü");
}

TEST(Printable, TextMadeSafeTwiceIsTheSameText) {
  const std::string once = printable("\x1b[0m\xff\u202e ü");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, RandomBytesAlwaysBecomeValidUtf8) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = printable(bytes, 20);
    EXPECT_NO_THROW(nlohmann::json(text).dump());  // throws for what is not UTF-8
    EXPECT_TRUE(std::none_of(text.begin(), text.end(),
                             [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }));
  }
}

TEST(AddressText, WritesTheShortFormOfEachVersion) {
  EXPECT_EQ(address_text({192, 0, 2, 1}, 4), "192.0.2.1");
  EXPECT_EQ(address_text({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 6),
            "2001:db8::1");
  EXPECT_EQ(address_text({192, 0, 2, 1}, 0), "");
}

TEST(Payload, LiesWithinTheCapturedBytesWhateverTheHeadersSay) {
  OwnedPacket packet;
  packet.own(std::vector<std::byte>(60));
  packet.headers.payload_len = 10;
  EXPECT_TRUE(packet.payload().empty());

  packet.headers.payload_offset = 54;
  EXPECT_EQ(packet.payload().size(), 6u);
  EXPECT_EQ(packet.payload().data(), packet.bytes.data() + 54);

  packet.headers.payload_len = 4;
  EXPECT_EQ(packet.payload().size(), 4u);

  packet.headers.payload_offset = 60;
  EXPECT_TRUE(packet.payload().empty());
  packet.headers.payload_offset = 65535;
  EXPECT_TRUE(packet.payload().empty());
}

}  // namespace
}  // namespace nids
