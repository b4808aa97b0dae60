// SPDX-License-Identifier: Apache-2.0
// The verifier takes the program as each compiler makes it and with each set of features, and what
// is left out of it changes nothing of the ledger.
#include <bpf/bpf.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "support/first_pass_program.hpp"
#include "support/sample_packets.hpp"
#include "support/unusual_frames.hpp"

namespace nids {
namespace {

struct Configuration {
  const char* name;
  std::uint32_t features;
};
constexpr Configuration kConfigurations[] = {{"no features", 0},
                                             {"the default features", kDefaultFeatures},
                                             {"all features", NIDS_FEATURES_ALL}};

// Empty: the object in this binary.
std::vector<std::string> object_files() {
  std::vector<std::string> files{""};
  std::istringstream list(NIDS_BPF_OBJECTS);
  for (std::string file; std::getline(list, file, ':');) files.push_back(file);
  return files;
}

std::string compiler_of(const std::string& file) {
  return file.empty() ? "the build's compiler" : std::filesystem::path(file).filename().string();
}

std::uint32_t verified_instructions(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.verified_insns : 0;
}

// What no feature may change.
struct Ledger {
  nids_sum ingress, egress, live, exported, unaccounted, no_flow;
  std::uint64_t flows_created;
  std::array<std::uint64_t, NIDS_PARSE_RESULT_COUNT> parse;
  std::array<std::uint64_t, NIDS_TRANSPORT_COUNT> transport;
  std::array<std::uint64_t, NIDS_TUNNEL_COUNT> tunnel;
  std::array<std::array<std::uint64_t, 3>, NIDS_CLASS_MAX> classes;
};

Ledger ledger_of(const nids_counters& c) {
  Ledger ledger{.ingress = c.seen[NIDS_INGRESS],
                .egress = c.seen[NIDS_EGRESS],
                .live = c.live,
                .exported = c.exported,
                .unaccounted = c.unaccounted,
                .no_flow = c.no_flow,
                .flows_created = c.flows_created};
  std::ranges::copy(c.parse, ledger.parse.begin());
  std::ranges::copy(c.transport, ledger.transport.begin());
  std::ranges::copy(c.tunnel, ledger.tunnel.begin());
  for (std::size_t i = 0; i < NIDS_CLASS_MAX; ++i)
    ledger.classes[i] = {c.classes[i].flows, c.classes[i].packets, c.classes[i].bytes};
  return ledger;
}

class EveryConfiguration : public FirstPassProgram {
 protected:
  void SetUp() override {}

  // Each packet twice: once it opens its flow, once it is counted in it.
  Ledger ledger_of_battery() {
    std::vector<Bytes> frames = unusual_frames();
    for (const HonestPacket& packet : honest_packets()) frames.push_back(packet.frame);
    for (const LyingPacket& packet : lying_packets()) frames.push_back(packet.frame);
    for (const Bytes& frame : frames)
      for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(program().ingress(frame));
        (void)program().egress(frame);  // TEST_RUN does not take all of them
      }
    expect_ledger();
    return ledger_of(program().counters());
  }
};

TEST_F(EveryConfiguration, IsTakenByTheVerifierAndHasTheSameLedger) {
  std::optional<Ledger> first;
  for (const std::string& file : object_files())
    for (const Configuration& configuration : kConfigurations) {
      SCOPED_TRACE(compiler_of(file) + ", " + configuration.name);
      load({.features = configuration.features,
            .ring_bytes = 4 << 20,
            .is_timeless = true,
            .file = file},
           tables_);
      if (IsSkipped() || HasFatalFailure()) return;
      const BpfObject& object = program().object();
      std::cout << "verifier: " << compiler_of(file) << ", " << configuration.name << ": "
                << verified_instructions(object.ingress()) << " instructions at XDP, "
                << verified_instructions(object.egress()) << " at tc, "
                << verified_instructions(object.ingress_tc()) << " at its ingress\n";
      const Ledger ledger = ledger_of_battery();
      if (!first) first = ledger;
      EXPECT_EQ(std::memcmp(&ledger, &*first, sizeof(ledger)), 0);
      EXPECT_GT(ledger.live.packets, 0u);
    }
}

TEST_F(EveryConfiguration, OfAReplayIsTakenByTheVerifier) {
  for (const std::string& file : object_files()) {
    SCOPED_TRACE(compiler_of(file));
    load({.features = NIDS_FEATURES_ALL, .is_packet_time = true, .file = file}, tables_);
    if (IsSkipped() || HasFatalFailure()) return;
    const BpfObject& object = program().object();
    std::cout << "verifier: " << compiler_of(file)
              << ", a replay's: " << verified_instructions(object.ingress())
              << " instructions at XDP\n";
  }
}

TEST_F(EveryConfiguration, WithoutFeaturesNothingGoesUpButFlows) {
  reload({.sets4_per_cpu = 1, .sets6_per_cpu = 1, .features = 0});
  for (const Bytes& frame : unusual_frames()) ingress(frame);
  const std::uint64_t ssh_flows = program().counters().classes[kSsh].flows;
  flow_from(1, 22);
  EXPECT_TRUE(drained().packets.empty());
  EXPECT_FALSE(records_.flows.empty());
  const nids_counters counters = program().counters();
  for (const std::uint64_t found : counters.findings) EXPECT_EQ(found, 0u);
  EXPECT_EQ(counters.not_sampled.packets, 0u);
  EXPECT_EQ(counters.classes[kSsh].flows, ssh_flows + 1) << "it is classified all the same";
  expect_ledger();
}

}  // namespace
}  // namespace nids
