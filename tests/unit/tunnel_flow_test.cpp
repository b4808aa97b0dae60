// SPDX-License-Identifier: Apache-2.0
// The tunnel is part of a flow's key: kind, identifier and outer addresses.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "support/twin_run.hpp"

namespace nids {
namespace {

PacketBuilder outer(const char* src = "192.0.2.1", const char* dst = "192.0.2.2") {
  return PacketBuilder{}.eth().ipv4({.src = src, .dst = dst});
}

PacketBuilder vxlan(std::uint32_t vni, std::uint16_t port = 4789, const char* src = "192.0.2.1") {
  return outer(src).udp({.src_port = 1, .dst_port = port}).vxlan({.vni = vni}).eth();
}

class TunnelFlow : public testing::Test {
 protected:
  ClassTables tables_{{.name = "ssh", .tcp = {22}}};
  TwinRun run_{{.slots = 64, .slots_ipv6 = 64}, tables_};
};

TEST_F(TunnelFlow, EachTunnelHasFlowsOfItsOwn) {
  const std::vector<std::function<PacketBuilder()>> tunnels{
      [] { return PacketBuilder{}.eth(); },
      [] { return PacketBuilder{}.eth().vlan(5); },
      [] { return outer(); },  // IP in IP
      [] { return outer("192.0.2.3"); },
      [] { return outer("192.0.2.1", "192.0.2.3"); },
      [] { return PacketBuilder{}.eth().vlan(5).ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"}); },
      [] { return PacketBuilder{}.eth().ipv6({.src = "2001:db8::8", .dst = "2001:db8::9"}); },
      [] { return outer().gre(); },
      [] { return outer().gre({.key = 0}); },
      [] { return outer().gre({.key = 1}); },
      [] { return vxlan(1); },
      [] { return vxlan(2); },
      [] { return vxlan(1, 8472); },
      [] { return vxlan(1, 4789, "192.0.2.3"); },
  };
  for (const auto& tunnel : tunnels)
    for (int i = 0; i < 2; ++i) {
      run_.send(tunnel().ipv4().tcp({.dst_port = 22}));
      run_.send(tunnel().ipv6().tcp({.dst_port = 22}));
    }
  EXPECT_EQ(run_.counters().flows_created, 2 * tunnels.size());
  const auto slots = run_.slots();
  ASSERT_EQ(slots.size(), 2 * tunnels.size());
  for (const FlowPart& slot : slots) EXPECT_EQ(slot.packets[0] + slot.packets[1], 2u);
}

TEST_F(TunnelFlow, BothDirectionsAreOneFlow) {
  run_.send(vxlan(7).ipv4({.src = "10.0.0.1", .dst = "10.0.0.2"}).tcp({.dst_port = 22}));
  run_.send(outer("192.0.2.2", "192.0.2.1")
                .udp({.src_port = 9, .dst_port = 4789})
                .vxlan({.vni = 7})
                .eth()
                .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
                .tcp({.src_port = 22, .dst_port = 40'000}));
  const auto slots = run_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].packets[0], 1u);
  EXPECT_EQ(slots[0].packets[1], 1u);
  EXPECT_EQ(slots[0].key.tunnel, NIDS_TUNNEL_VXLAN);
  EXPECT_EQ(slots[0].tunnel.id, 7u);
  EXPECT_EQ(slots[0].key.ip_version, 4);
}

TEST_F(TunnelFlow, AnIcmpErrorInsideBelongsToTheQuotedFlowInTheSameTunnel) {
  const auto error = [](const PacketBuilder& tunnel) {
    return PacketBuilder(tunnel)
        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
        .icmp({.type = kIcmpUnreachable, .code = 3})
        .ipv4({.src = "10.0.0.1", .dst = "10.0.0.2"})
        .udp({.src_port = 40'000, .dst_port = 9});
  };
  const auto back = [](std::uint32_t vni) {
    return outer("192.0.2.2", "192.0.2.1").udp({.dst_port = 4789}).vxlan({.vni = vni}).eth();
  };
  run_.send(vxlan(7).ipv4({.src = "10.0.0.1", .dst = "10.0.0.2"}).udp({.dst_port = 9}));
  run_.send(error(back(7)));
  EXPECT_EQ(run_.counters().flows_created, 1u);
  run_.send(error(back(8)));
  EXPECT_EQ(run_.counters().flows_created, 2u) << "the error came in another network";
}

// Before, all of them shared the identification 0.
TEST_F(TunnelFlow, FragmentsInsideBelongToTheirDatagram) {
  const auto first = [](PacketBuilder tunnel, std::uint16_t id, std::uint16_t port) {
    return tunnel.ipv4({.id = id, .more_fragments = true})
        .udp({.src_port = port, .dst_port = 9, .len = 100})
        .payload_bytes(24);
  };
  const auto later = [](PacketBuilder tunnel, std::uint16_t id) {
    return tunnel.ipv4({.protocol = kProtoUdp, .id = id, .fragment_offset_bytes = 32})
        .payload_bytes(24);
  };
  run_.send(first(vxlan(1), 1, 1001));
  run_.send(first(vxlan(1), 2, 1002));
  run_.send(first(vxlan(2), 1, 1003));
  run_.send(later(vxlan(1), 1));
  run_.send(later(vxlan(1), 2));
  run_.send(later(vxlan(2), 1));
  EXPECT_EQ(run_.counters().flows_created, 3u);
  for (const FlowPart& slot : run_.slots()) EXPECT_EQ(slot.packets[0] + slot.packets[1], 2u);
  run_.send(later(vxlan(3), 1));
  EXPECT_EQ(run_.counters().no_flow.packets, 1u) << "no first fragment came in that network";
}

// In a slot these VLAN ids mean that the key has a tunnel.
TEST_F(TunnelFlow, Vlan4095InVlan4095IsAFlowOfItsOwn) {
  const auto tagged = [] { return PacketBuilder{}.eth().vlan(4095).vlan(4095); };
  run_.send(tagged().ipv4().tcp({.dst_port = 22}));
  run_.send(tagged().ipv6().tcp({.dst_port = 22}));
  run_.send(vxlan(0).ipv4().tcp({.dst_port = 22}));
  run_.send(tagged().ipv4().tcp({.dst_port = 22}));
  const auto slots = run_.slots();
  ASSERT_EQ(slots.size(), 3u);
  int of_the_vlan = 0;
  for (const FlowPart& slot : slots)
    of_the_vlan +=
        slot.key.vlan[0] == 4095 && slot.key.vlan[1] == 4095 && slot.key.tunnel == NIDS_TUNNEL_NONE;
  EXPECT_EQ(of_the_vlan, 2);
}

TEST_F(TunnelFlow, AnEvictedFlowIsExportedWithItsTunnel) {
  TwinRun run({.slots = NIDS_WAYS, .slots_ipv6 = NIDS_WAYS}, tables_);
  run.send(vxlan(99).ipv4().udp({.dst_port = 9}));
  for (std::uint32_t vni = 0; vni < NIDS_WAYS; ++vni) {
    run.wait(kSecond_ns);
    run.send(vxlan(vni).ipv4().udp({.dst_port = 9}));
  }
  ASSERT_EQ(run.flows.size(), 1u);
  EXPECT_EQ(run.flows[0].key.tunnel, NIDS_TUNNEL_VXLAN);
  EXPECT_EQ(run.flows[0].tunnel.id, 99u);
}

}  // namespace
}  // namespace nids
