// SPDX-License-Identifier: Apache-2.0
#include "log/alert_line.hpp"

#include <gtest/gtest.h>

#include "support/sample_flow.hpp"

namespace nids {
namespace {

Alert ssh_alert() {
  Alert alert;
  alert.time.ns = 1795341600'123'456'789;  // 2026-11-22T10:00:00
  alert.signature_id.sid = 1001;
  alert.severity = 2;
  alert.signature = "SSH connection";
  alert.class_name = "ssh";
  alert.ends = sample_ends("10.0.0.2", 40'000, "10.0.0.1", 22);
  return alert;
}

TEST(AlertLine, SaysWhenHowBadWhatAndBetweenWhom) {
  EXPECT_EQ(alert_line(ssh_alert(), {}),
            "10:00:00.123 [2] 10.0.0.2:40000 -> 10.0.0.1:22                  SSH connection "
            "[9000:1001]");
}

TEST(AlertLine, TellsTheDateWhereItIsAsked) {
  EXPECT_EQ(alert_line(ssh_alert(), {.with_date = true}).substr(0, 28),
            "2026-11-22 10:00:00.123 [2] ");
}

TEST(AlertLine, NamesAClassOnceAndFitsIntoEightyColumns) {
  Alert alert = ssh_alert();
  alert.class_name = "microsoft-ds";
  alert.signature = "flagged protocol microsoft-ds";
  const std::string wide = alert_line(alert, {.width = 200});
  EXPECT_NE(wide.find(" flagged protocol microsoft-ds [9000:1001]"), std::string::npos) << wide;
  EXPECT_EQ(wide, alert_line(alert, {}));
  EXPECT_EQ(wide.find("microsoft-ds"), wide.rfind("microsoft-ds"));

  const std::string narrow = alert_line(alert, {.width = 80});
  EXPECT_EQ(narrow.size(), 80u) << narrow;
  EXPECT_NE(narrow.find(" microsoft-ds [9000:1001]"), std::string::npos) << narrow;
  EXPECT_EQ(narrow.find("flagged"), std::string::npos);
}

TEST(AlertLine, KeepsASignatureThatSaysMoreThanItsClass) {
  EXPECT_NE(alert_line(ssh_alert(), {.width = 80}).find("SSH connection"), std::string::npos);
}

TEST(AlertLine, SignaturesOfOrdinaryAlertsLineUp) {
  Alert other = ssh_alert();
  other.class_name = "";
  other.ends.client_port = 1;
  for (std::uint8_t& byte : other.ends.server) byte = 255;
  const auto column = [](const std::string& line) { return line.find("SSH connection"); };
  EXPECT_EQ(column(alert_line(other, {})), column(alert_line(ssh_alert(), {})));
  other = ssh_alert();
  other.ends.client_port = 1;
  EXPECT_EQ(column(alert_line(other, {.width = 80})),
            column(alert_line(ssh_alert(), {.width = 80})));
}

TEST(AlertLine, Ipv6AddressStandsInBracketsBeforeAPort) {
  Alert alert = ssh_alert();
  alert.ends.ip_version = 6;
  EXPECT_NE(alert_line(alert, {}).find(" [a00:2::]:40000 -> [a00:1::]:22  "), std::string::npos);
  alert.ends.l4_proto = 58;
  EXPECT_NE(alert_line(alert, {}).find(" a00:2:: -> a00:1::  "), std::string::npos);
}

TEST(AlertLine, AlertWithoutAddressesHasADashForThem) {
  Alert alert = ssh_alert();
  alert.ends.ip_version = 0;
  EXPECT_NE(alert_line(alert, {}).find("[2] -  "), std::string::npos);
}

TEST(AlertLine, ColourFollowsSeverityAndEndsWithTheLine) {
  Alert alert = ssh_alert();
  const std::string plain = alert_line(alert, {});
  EXPECT_EQ(alert_line(alert, {.colour = true}), "\x1b[33m" + plain + "\x1b[0m");
  alert.severity = 1;
  EXPECT_EQ(alert_line(alert, {.colour = true}).substr(0, 5), "\x1b[31m");
  alert.severity = 3;
  EXPECT_EQ(alert_line(alert, {.colour = true}).substr(0, 4), "\x1b[2m");
}

TEST(AlertLine, HostileTextCannotReachTheTerminal) {
  Alert alert = ssh_alert();
  alert.signature = alert.class_name = "\x1b]0;owned\x07\n\u009b2J\u202e\xff";
  const std::string line = alert_line(alert, {});
  for (const char* hostile : {"\x1b", "\x07", "\n", "\u009b", "\u202e", "\xff"})
    EXPECT_EQ(line.find(hostile), std::string::npos);
}

}  // namespace
}  // namespace nids
