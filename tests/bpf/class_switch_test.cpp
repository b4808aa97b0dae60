// SPDX-License-Identifier: Apache-2.0
// A switch between two tables of classes: which table a packet uses, and that a retired class can
// be removed from all slots and cells.
#include <bpf/bpf.h>

#include "kernel/class_tables.hpp"
#include "support/first_pass_program.hpp"

namespace nids {
namespace {

class ClassSwitch : public FirstPassProgram {
 protected:
  static constexpr std::uint16_t kPort = 22, kOther = 4444;

  Maps maps() {
    auto made = Maps::of_object(program().object().get());
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  void put_in_force(const ClassTables& tables) {
    const Maps all = maps();
    ASSERT_TRUE(wait_for_packets());
    ASSERT_TRUE(write_next_classes(all, tables.classes, *tables.ports));
    const auto classes_in_use = nids::ClassSwitch::of(all);
    ASSERT_TRUE(classes_in_use);
    classes_in_use->flip();
  }

  // The first class is retired, and another class has its port.
  ClassTables with_retired() {
    ClassTables next({{.name = "ssh"}, {.name = "new", .tcp = {22}, .udp = {kOther}}});
    next.classes[1].flags = NIDS_CLASS_RETIRED;
    next.classes[1].interest = NIDS_INTEREST_COUNT;
    return next;
  }

  static PacketBuilder datagram(int host, std::uint16_t port = kOther) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.1.0." + std::to_string(host), .dst = "10.0.0.2"})
        .udp({.dst_port = port});
  }

  std::uint64_t packets_of(std::size_t class_id) {
    return program().counters().classes[class_id].packets;
  }

  void take(const ClassSet& classes) {
    const auto flows = FlowMaps::of(maps());
    ASSERT_TRUE(flows);
    take_from_cells(*flows, classes);
    take_from_slots(*flows, classes);
  }
  ClassSet held() {
    const auto flows = FlowMaps::of(maps());
    EXPECT_TRUE(flows);
    return flows ? classes_in_slots(*flows) : ClassSet{};
  }
};

TEST_F(ClassSwitch, APacketAfterTheSwitchHasTheNewClass) {
  flow_from(1, kOther);
  ASSERT_TRUE(drained().packets.empty());
  ClassTables next({{.name = "ssh"}, {.name = "new", .tcp = {kOther}}});
  put_in_force(next);
  flow_from(2, kOther);
  flow_from(3, kPort);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.class_id, 2);
  const auto in_force = read_classes(maps());
  ASSERT_TRUE(in_force);
  EXPECT_STREQ((*in_force)[2].name, "new");
  put_in_force(tables_);
  flow_from(4, kPort);
  flow_from(5, kOther);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.class_id, kSsh);
  expect_ledger();
}

TEST_F(ClassSwitch, WritingTheOtherTableChangesNothingYet) {
  ClassTables next({{.name = "new", .tcp = {kOther}}});
  ASSERT_TRUE(write_next_classes(maps(), next.classes, *next.ports));
  flow_from(1, kPort);
  flow_from(2, kOther);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_STREQ((*read_classes(maps()))[1].name, "ssh");
}

TEST_F(ClassSwitch, AFlowKeepsItsClassAndANewFlowHasTheNewClass) {
  flow_from(1, kPort);
  put_in_force(with_retired());
  flow_from(1, kPort);
  flow_from(2, kPort);
  EXPECT_EQ(packets_of(1), 2u);
  EXPECT_EQ(packets_of(2), 1u);
  EXPECT_EQ(held(), ClassSet(0b110) | (held() & ClassSet(1)));
}

TEST_F(ClassSwitch, AFlowKeepsItsClassOnACpuWithoutASlotOfTheFlow) {
  flow_from(1, kPort);
  put_in_force(with_retired());
  for (nids_flow4_set& set : program().flows4()) set = {};
  ingress(PacketBuilder{}
              .eth()
              .ipv4({.src = "10.1.0.1", .dst = "10.0.0.2"})
              .tcp({.dst_port = kPort, .flags = kTcpAck}));
  EXPECT_EQ(packets_of(1), 2u);
}

TEST_F(ClassSwitch, ADatagramAfterSilenceHasNoRetiredClass) {
  constexpr std::uint16_t kIdentifiedPort = 8443;
  ingress(datagram(1, kIdentifiedPort));
  ASSERT_TRUE(held()[kIdentified]);
  ClassTables next({{.name = "ssh"}, {.name = "new", .udp = {kIdentifiedPort}}});
  next.classes[kIdentified] = tables_.classes[kIdentified];
  next.classes[kIdentified].flags = NIDS_CLASS_RETIRED;
  put_in_force(next);
  ingress(datagram(1, kIdentifiedPort));
  EXPECT_EQ(packets_of(kIdentified), 2u);
  for (nids_flow4_set& set : program().flows4())
    for (nids_flow4& slot : set.way) slot.state.last_ticks -= 1u << 20;
  ingress(datagram(1, kIdentifiedPort));
  EXPECT_EQ(packets_of(kIdentified), 2u);
  EXPECT_EQ(packets_of(2), 1u);
  EXPECT_FALSE(held()[kIdentified]);
}

TEST_F(ClassSwitch, AnIndexIsFreeOnceNoSlotOrCellHasIt) {
  for (int host = 1; host <= 50; ++host) flow_from(host, kPort);
  put_in_force(with_retired());
  EXPECT_TRUE(held()[1]);
  take(ClassSet(0b10));
  EXPECT_FALSE(held()[1]);
  for (int host = 1; host <= 50; ++host)
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.1.0." + std::to_string(host), .dst = "10.0.0.2"})
                .tcp({.dst_port = kPort, .flags = kTcpAck}));
  EXPECT_EQ(packets_of(1), 50u) << "packets from before the removal";
  ASSERT_TRUE(clear_class_counters(maps(), ClassSet(0b10)));
  EXPECT_EQ(packets_of(1), 0u);
  for (int host = 1; host <= 50; ++host) flow_from(host, kPort);
  EXPECT_EQ(packets_of(1), 0u);
  expect_ledger();
}

}  // namespace
}  // namespace nids
