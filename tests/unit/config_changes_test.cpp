// SPDX-License-Identifier: Apache-2.0
// The differences between two configurations, as `reload` prints them.
#include "config/changes.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

using Lines = std::vector<std::string>;

std::vector<ProtocolClass> classes_of(const char* toml) {
  const ConfigOutcome outcome = parse_config(toml);
  EXPECT_TRUE(outcome.problems.empty());
  return outcome.config.classes;
}

TEST(ConfigChanges, EqualConfigurationsHaveNoneInAnyOrder) {
  EXPECT_EQ(class_changes(builtin_classes(), builtin_classes()), Lines{});
  auto turned = builtin_classes();
  std::reverse(turned.begin(), turned.end());
  EXPECT_EQ(class_changes(builtin_classes(), turned), Lines{});
  EXPECT_EQ(changed_keys(default_config(), default_config()), Lines{});
}

TEST(ConfigChanges, EachValueOfAClassIsNamed) {
  const auto now = classes_of(R"([classes.ssh]
ports = ["tcp/22", "tcp/2222-2230"]
severity = 1
interest = "identify"
depth = "128KiB"
identify_packets = 9
)");
  EXPECT_EQ(class_changes(builtin_classes(), now),
            Lines{"class ssh: ports tcp/22 -> tcp/22, tcp/2222-2230; severity 2 -> 1; interest "
                  "inspect -> identify; depth 64KiB -> 128KiB; identify_packets 8 -> 9"});
}

TEST(ConfigChanges, ClassesAreAddedOrRemovedOrHaveNoPorts) {
  const auto before = classes_of("[classes.mine]\nports = [\"udp/9001\"]\n");
  const auto now = classes_of("[classes.ssh]\nports = []\n[classes.your]\nports = [\"udp/9\"]\n");
  EXPECT_EQ(class_changes(before, now),
            (Lines{"class ssh: ports tcp/22 -> no port",
                   "class your: added: udp/9, severity 2, inspect", "class mine: removed"}));
}

TEST(ConfigChanges, OtherKeysHaveTheirFullNames) {
  Config now = default_config();
  now.classes.pop_back();
  now.workers = 3;
  now.flow.slots_per_cpu = 64;
  now.flow.unclassified = NIDS_INTEREST_HEADERS;
  now.retain.severity_2 = Config::Retain::kKeptWhole;
  now.community_id_seed = 7;
  EXPECT_EQ(changed_keys(default_config(), now),
            (Lines{"community_id.seed", "flow.slots_per_cpu", "flow.unclassified",
                   "retain.severity_2", "workers"}));
}

TEST(ConfigChanges, ARemovedLinkIsNamed) {
  Config before = default_config();
  before.links.push_back({.name = "uplink", .interfaces = {"eth0", "eth1"}});
  EXPECT_EQ(changed_keys(before, default_config()), Lines{"links.uplink"});
}

}  // namespace
}  // namespace nids
