// SPDX-License-Identifier: Apache-2.0
#include "alert/suppression.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "nids/abi/lists.h"

namespace nids {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kStart = 1'000'000'000'000'000'000;  // ns

Alert alert_at(std::chrono::nanoseconds after_start, std::uint32_t signature_id = 1001,
               std::uint32_t client = 1) {
  Alert alert;
  alert.time.ns = kStart + static_cast<std::uint64_t>(after_start.count());
  alert.signature_id.sid = signature_id;
  alert.class_name = "ssh";
  alert.ends.ip_version = 4;
  for (int i = 0; i < 4; ++i)
    alert.ends.client[i] = static_cast<std::uint8_t>(client >> (24 - 8 * i));
  return alert;
}

TEST(Suppression, FirstAlertIsAdmittedAndRepetitionsInItsWindowAreNot) {
  Suppression suppression({.window = 60s});
  EXPECT_TRUE(suppression.admit(alert_at(0s)));
  EXPECT_FALSE(suppression.admit(alert_at(0s)));
  EXPECT_FALSE(suppression.admit(alert_at(60s - 1ns)));
}

TEST(Suppression, WindowBeginsWithTheAdmittedAlertNotWithTheLastOne) {
  Suppression suppression({.window = 60s});
  EXPECT_TRUE(suppression.admit(alert_at(0s)));
  EXPECT_FALSE(suppression.admit(alert_at(59s)));
  EXPECT_TRUE(suppression.admit(alert_at(60s)));
  EXPECT_FALSE(suppression.admit(alert_at(119s)));
}

TEST(Suppression, EachPartOfTheKeyTellsAlertsApart) {
  Suppression suppression({.window = 60s});
  const Alert first = alert_at(0s);
  Alert other = first;
  ASSERT_TRUE(suppression.admit(first));

  other.signature_id.sid = 1002;
  EXPECT_TRUE(suppression.admit(other));
  other = first;
  other.ends.client[15] = 1;
  EXPECT_TRUE(suppression.admit(other));
  other = first;
  other.ends.server[0] = 1;
  EXPECT_TRUE(suppression.admit(other));
  other = first;
  other.ends.ip_version = 6;
  EXPECT_TRUE(suppression.admit(other));
  other = first;
  other.class_name = "telnet";
  EXPECT_TRUE(suppression.admit(other));
}

TEST(Suppression, PortsAndTextDoNotTellAlertsApart) {
  Suppression suppression({.window = 60s});
  Alert alert = alert_at(0s);
  ASSERT_TRUE(suppression.admit(alert));
  alert.ends.client_port = 40001;
  alert.observed = "another attempt";
  EXPECT_FALSE(suppression.admit(alert));
}

TEST(Suppression, SmallStepBackInTimeStaysSuppressed) {
  Suppression suppression({.window = 60s});
  ASSERT_TRUE(suppression.admit(alert_at(0s)));
  EXPECT_FALSE(suppression.admit(alert_at(-1s)));
}

TEST(Suppression, ClockSetFarBackDoesNotSilenceAlerts) {
  Suppression suppression({.window = 60s});
  ASSERT_TRUE(suppression.admit(alert_at(3600s)));
  EXPECT_TRUE(suppression.admit(alert_at(0s)));
  EXPECT_FALSE(suppression.admit(alert_at(1s)));
}

TEST(Suppression, ExtremeTimesDoNotOverflow) {
  Suppression suppression({.window = 60s});
  Alert alert = alert_at(0s);
  alert.time.ns = 0;
  EXPECT_TRUE(suppression.admit(alert));
  alert.time.ns = UINT64_MAX;
  EXPECT_TRUE(suppression.admit(alert));
}

TEST(Suppression, AtTheCapTheOldestGoesAndIsCounted) {
  Suppression suppression({.window = 60s, .max_entries = 2});
  ASSERT_TRUE(suppression.admit(alert_at(0s, 1)));
  ASSERT_TRUE(suppression.admit(alert_at(1s, 2)));
  ASSERT_TRUE(suppression.admit(alert_at(2s, 3)));

  EXPECT_EQ(suppression.size(), 2u);
  EXPECT_EQ(suppression.evictions(), 1u);
  EXPECT_FALSE(suppression.admit(alert_at(3s, 2)));
  EXPECT_TRUE(suppression.admit(alert_at(3s, 1)));
}

TEST(Suppression, AnAlertAdmittedAgainIsNoLongerTheOldest) {
  Suppression suppression({.window = 10s, .max_entries = 2});
  ASSERT_TRUE(suppression.admit(alert_at(0s, 1)));
  ASSERT_TRUE(suppression.admit(alert_at(9s, 2)));
  ASSERT_TRUE(suppression.admit(alert_at(10s, 1)));
  ASSERT_TRUE(suppression.admit(alert_at(11s, 3)));
  EXPECT_FALSE(suppression.admit(alert_at(12s, 1)));
}

TEST(Suppression, EntryWhoseWindowIsOverIsReplacedWithoutBeingCounted) {
  Suppression suppression({.window = 1s, .max_entries = 1});
  ASSERT_TRUE(suppression.admit(alert_at(0s, 1)));
  ASSERT_TRUE(suppression.admit(alert_at(5s, 2)));
  EXPECT_EQ(suppression.evictions(), 0u);
}

TEST(Suppression, WithoutWindowOrEntriesEverythingIsAdmitted) {
  Suppression no_window({.window = 0s});
  Suppression no_entries({.window = 60s, .max_entries = 0});
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(no_window.admit(alert_at(0s)));
    EXPECT_TRUE(no_entries.admit(alert_at(0s)));
  }
  EXPECT_EQ(no_window.size(), 0u);
}

// Tenants with the same addresses do not silence each other.
TEST(Suppression, EachNetworkHasAlertsOfItsOwn) {
  Suppression suppression({.window = 60s});
  std::vector<Alert> alerts(5, alert_at(0s));
  alerts[1].ends.vlan[0] = 10;
  alerts[2].ends.vlan[1] = 10;
  alerts[3].ifindex = 2;
  alerts[4].tunnel = {.id = 7, .kind = NIDS_TUNNEL_VXLAN, .ip_version = 4, .has_id = 1};
  for (const Alert& alert : alerts) {
    EXPECT_TRUE(suppression.admit(alert));
    EXPECT_FALSE(suppression.admit(alert));
  }
}

TEST(Suppression, ManyClientsStayWithinTheCap) {
  Suppression suppression({.window = 60s, .max_entries = 1'000});
  for (std::uint32_t client = 0; client < 50'000; ++client)
    ASSERT_TRUE(suppression.admit(alert_at(0s, 1001, client)));
  EXPECT_EQ(suppression.size(), 1'000u);
  EXPECT_EQ(suppression.evictions(), 49'000u);
}

TEST(Suppression, MovedOneRemembers) {
  Suppression first({.window = 60s});
  ASSERT_TRUE(first.admit(alert_at(0s)));
  Suppression second = std::move(first);
  EXPECT_FALSE(second.admit(alert_at(1s)));
}

}  // namespace
}  // namespace nids
