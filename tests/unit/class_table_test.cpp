// SPDX-License-Identifier: Apache-2.0
// The configuration in the forms that the first pass takes.
#include "agent/class_table.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

std::uint32_t features_with(nids_interest interest) {
  Config config = default_config();
  for (ProtocolClass& one : config.classes) one.interest = NIDS_INTEREST_COUNT;
  config.retain.enabled = false;
  config.classes[3].interest = interest;
  return abi_features(config);
}

TEST(ClassTable, FeaturesAreThoseThatAnInterestNeeds) {
  constexpr std::uint32_t kAlways = NIDS_FEATURE_FINDINGS;
  EXPECT_EQ(features_with(NIDS_INTEREST_COUNT), kAlways);
  EXPECT_EQ(features_with(NIDS_INTEREST_CAPTURE), kAlways | NIDS_FEATURE_CAPTURE);
  EXPECT_EQ(features_with(NIDS_INTEREST_INSPECT), kAlways | NIDS_FEATURE_INSPECT);
  EXPECT_EQ(features_with(NIDS_INTEREST_BYPASS), kAlways | NIDS_FEATURE_BYPASS);
  EXPECT_EQ(features_with(NIDS_INTEREST_HEADERS), kAlways | NIDS_FEATURE_HEADERS);
  EXPECT_EQ(features_with(NIDS_INTEREST_IDENTIFY),
            kAlways | NIDS_FEATURE_IDENTIFY | NIDS_FEATURE_COMMANDS | NIDS_FEATURE_CAPTURE);
}

TEST(ClassTable, FindingsThatAreOffAreNoFeature) {
  Config config = default_config();
  config.retain.enabled = false;
  EXPECT_EQ(abi_features(config), std::uint32_t{NIDS_FEATURE_FINDINGS | NIDS_FEATURE_INSPECT});
  config.findings = false;
  EXPECT_EQ(abi_features(config), std::uint32_t{NIDS_FEATURE_INSPECT});
}

TEST(ClassTable, WhatAlertsMayRaiseAFlowToIsAFeature) {
  constexpr std::uint32_t kAlways =
      NIDS_FEATURE_FINDINGS | NIDS_FEATURE_INSPECT | NIDS_FEATURE_COMMANDS;
  Config config = default_config();
  EXPECT_EQ(abi_features(config), kAlways | NIDS_FEATURE_CAPTURE);
  config.retain.severity_3 = Config::Retain::kKeptHeaders;
  EXPECT_EQ(abi_features(config), kAlways | NIDS_FEATURE_CAPTURE | NIDS_FEATURE_HEADERS);
  config.retain.severity_1 = config.retain.severity_2 = Config::Retain::kKeptHeaders;
  EXPECT_EQ(abi_features(config), kAlways | NIDS_FEATURE_HEADERS);
}

TEST(ClassTable, InterestInFlowsOfNoClassIsAFeatureAndTheFirstEntry) {
  Config config = default_config();
  config.flow.unclassified = NIDS_INTEREST_IDENTIFY;
  EXPECT_EQ(abi_features(config) & (NIDS_FEATURE_UNCLASSIFIED | NIDS_FEATURE_IDENTIFY),
            std::uint32_t{NIDS_FEATURE_UNCLASSIFIED | NIDS_FEATURE_IDENTIFY});
  const auto classes = abi_classes(config);
  ASSERT_EQ(classes.size(), std::size_t{NIDS_CLASS_MAX});
  EXPECT_EQ(classes[0].interest, NIDS_INTEREST_IDENTIFY);
  EXPECT_EQ(classes[0].identify_packets, 8);
  EXPECT_STREQ(classes[0].name, "");
}

TEST(ClassTable, AClassHasItsPlaceBehindTheEmptyOne) {
  Config config = default_config();
  config.classes[0].interest = NIDS_INTEREST_IDENTIFY;
  config.classes[0].identify_packets = 255;
  config.classes[0].depth_bytes = 123;
  const auto classes = abi_classes(config);
  EXPECT_STREQ(classes[1].name, "ssh");
  EXPECT_EQ(classes[1].interest, NIDS_INTEREST_IDENTIFY);
  EXPECT_EQ(classes[1].identify_packets, 255);
  EXPECT_EQ(classes[1].depth_bytes, 123u);
  EXPECT_EQ(abi_ports(config)->tcp[22], 1);
  EXPECT_EQ(abi_ports(config)->udp[22], 0);
}

TEST(ClassTable, ProgramsAreLoadedWithWhatIsConfigured) {
  Config config = default_config();
  config.flow.slots_per_cpu = 64;
  config.flow.ipv6_slots_per_cpu = 128;
  config.ring = {1 << 20, 2000, 100};
  config.workers = 3;
  const auto classes = abi_classes(config);
  const auto ports = abi_ports(config);
  const ProgramSetup setup = program_setup(config, classes, *ports);
  EXPECT_EQ(setup.slots_per_cpu, 64u);
  EXPECT_EQ(setup.ipv6_slots_per_cpu, 128u);
  EXPECT_EQ(setup.rings, 3u);
  EXPECT_EQ(setup.ring_bytes, 1u << 20);
  EXPECT_EQ(setup.snap_bytes, 2000u);
  EXPECT_EQ(setup.sample_bytes, 100u);
  EXPECT_EQ(setup.features, abi_features(config));
  EXPECT_EQ(setup.ports, ports.get());
}

}  // namespace
}  // namespace nids
