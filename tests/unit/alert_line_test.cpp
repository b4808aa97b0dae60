// SPDX-License-Identifier: Apache-2.0
#include "log/alert_line.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

Alert ssh_alert() {
  Alert alert;
  alert.time.ns = 1795341600'123'456'789;  // 2026-11-22T10:00:00
  alert.signature_id = 1001;
  alert.severity = 2;
  alert.signature = "SSH connection";
  alert.class_name = "ssh";
  alert.ends.client[0] = 10;
  alert.ends.client[3] = 2;
  alert.ends.server[0] = 10;
  alert.ends.server[3] = 1;
  alert.ends.client_port = 40000;
  alert.ends.server_port = 22;
  alert.ends.l4_proto = 6;
  alert.ends.ip_version = 4;
  return alert;
}

TEST(AlertLine, SaysWhenHowBadWhatAndBetweenWhom) {
  EXPECT_EQ(alert_line(ssh_alert(), false),
            "10:00:00.123  [2] ssh      10.0.0.2:40000 -> 10.0.0.1:22    SSH connection "
            "[9000:1001]");
}

TEST(AlertLine, SignaturesOfOrdinaryAlertsLineUp) {
  Alert other = ssh_alert();
  other.class_name = "";
  other.ends.client_port = 1;
  const auto column = [](const std::string& line) { return line.find("SSH connection"); };
  EXPECT_EQ(column(alert_line(other, false)), column(alert_line(ssh_alert(), false)));
}

TEST(AlertLine, Ipv6AddressStandsInBracketsBeforeAPort) {
  Alert alert = ssh_alert();
  alert.ends.ip_version = 6;
  EXPECT_NE(alert_line(alert, false).find("  [a00:2::]:40000 -> [a00:1::]:22  SSH"),
            std::string::npos);
  alert.ends.l4_proto = 58;
  EXPECT_NE(alert_line(alert, false).find("  a00:2:: -> a00:1::  "), std::string::npos);
}

TEST(AlertLine, AlertWithoutAddressesHasADashForThem) {
  Alert alert = ssh_alert();
  alert.ends.ip_version = 0;
  EXPECT_NE(alert_line(alert, false).find("ssh      -  "), std::string::npos);
}

TEST(AlertLine, ColourFollowsSeverityAndEndsWithTheLine) {
  Alert alert = ssh_alert();
  const std::string plain = alert_line(alert, false);
  EXPECT_EQ(alert_line(alert, true), "\x1b[33m" + plain + "\x1b[0m");
  alert.severity = 1;
  EXPECT_EQ(alert_line(alert, true).substr(0, 5), "\x1b[31m");
  alert.severity = 3;
  EXPECT_EQ(alert_line(alert, true).substr(0, 4), "\x1b[2m");
}

TEST(AlertLine, HostileTextCannotReachTheTerminal) {
  Alert alert = ssh_alert();
  alert.signature = alert.class_name = "\x1b]0;owned\x07\n\u009b2J\u202e\xff";
  const std::string line = alert_line(alert, false);
  for (const char* hostile : {"\x1b", "\x07", "\n", "\u009b", "\u202e", "\xff"})
    EXPECT_EQ(line.find(hostile), std::string::npos);
}

}  // namespace
}  // namespace nids
