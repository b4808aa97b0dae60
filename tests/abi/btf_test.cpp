// SPDX-License-Identifier: Apache-2.0
// The layouts as clang's BPF target sees them, against those of this compiler. The object knows
// only those that its maps hold; the records' sizes are asserted in abi/ by both compilers.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "nids.skel.h"
#include "nids/abi/clock.h"
#include "nids/abi/event.h"

namespace {

class Abi : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(bpf_, nullptr); }

  // Null where the object knows no such struct.
  const btf_type* type_of(const char* name) const {
    const int id = btf__find_by_name_kind(types(), name, BTF_KIND_STRUCT);
    return id < 0 ? nullptr : btf__type_by_id(types(), static_cast<__u32>(id));
  }
  long size_of(const char* name) const {
    const btf_type* type = type_of(name);
    return type == nullptr ? -1 : static_cast<long>(type->size);
  }
  std::map<std::string, std::size_t> offsets_of(const char* name) const {
    std::map<std::string, std::size_t> offsets;
    const btf_type* type = type_of(name);
    if (type == nullptr) return offsets;
    for (__u32 i = 0; i < btf_vlen(type); ++i)
      offsets[btf__name_by_offset(types(), btf_members(type)[i].name_off)] =
          btf_member_bit_offset(type, i) / 8;
    return offsets;
  }

 private:
  const btf* types() const { return bpf_object__btf(bpf_->obj); }

  std::unique_ptr<nids_bpf, void (*)(nids_bpf*)> bpf_{nids_bpf__open(), nids_bpf__destroy};
};

#define NIDS_EXPECT_SIZE(type) EXPECT_EQ(size_of(#type), long{sizeof(type)}) << #type

TEST_F(Abi, EveryStructHasTheSameSizeOnBothSides) {
  NIDS_EXPECT_SIZE(nids_info);
  NIDS_EXPECT_SIZE(nids_counters);
  NIDS_EXPECT_SIZE(nids_sum);
  NIDS_EXPECT_SIZE(nids_finding_budget);
  NIDS_EXPECT_SIZE(nids_class_sum);
  NIDS_EXPECT_SIZE(nids_agent_counters);
  NIDS_EXPECT_SIZE(nids_class);
  NIDS_EXPECT_SIZE(nids_port_classes);
  NIDS_EXPECT_SIZE(nids_flow4_key);
  NIDS_EXPECT_SIZE(nids_flow_tunnel);
  NIDS_EXPECT_SIZE(nids_extended_key);
  NIDS_EXPECT_SIZE(nids_sample_buckets);
  NIDS_EXPECT_SIZE(nids_flow6_key);
  NIDS_EXPECT_SIZE(nids_flow_state);
  NIDS_EXPECT_SIZE(nids_flow4);
  NIDS_EXPECT_SIZE(nids_flow6);
  NIDS_EXPECT_SIZE(nids_flow4_set);
  NIDS_EXPECT_SIZE(nids_flow6_set);
  NIDS_EXPECT_SIZE(nids_flow_cell);
  NIDS_EXPECT_SIZE(nids_packet);
  NIDS_EXPECT_SIZE(nids_packet_detail);
  NIDS_EXPECT_SIZE(nids_outer);
  NIDS_EXPECT_SIZE(nids_embedded);
  NIDS_EXPECT_SIZE(nids_tcp_options);
  NIDS_EXPECT_SIZE(nids_clock);
}

using Offsets = std::map<std::string, std::size_t>;
#define NIDS_AT(type, field) \
  { #field, offsetof(type, field) }

TEST_F(Abi, EachFieldOfAFlowLiesAtTheSameOffsetOnBothSides) {
#define NIDS_STATE(field) NIDS_AT(nids_flow_state, field)
  EXPECT_EQ(offsets_of("nids_flow_state"),
            (Offsets{NIDS_STATE(bytes), NIDS_STATE(packets), NIDS_STATE(created_ticks),
                     NIDS_STATE(last_ticks), NIDS_STATE(tcp_flags), NIDS_STATE(class_id),
                     NIDS_STATE(flags), NIDS_STATE(command), NIDS_STATE(generation),
                     NIDS_STATE(events), NIDS_STATE(identified), NIDS_STATE(other_class)}));
#undef NIDS_STATE
  EXPECT_EQ(offsets_of("nids_flow4"),
            (Offsets{NIDS_AT(nids_flow4, key), NIDS_AT(nids_flow4, state)}));
  EXPECT_EQ(offsets_of("nids_flow6"), (Offsets{NIDS_AT(nids_flow6, key), NIDS_AT(nids_flow6, state),
                                               NIDS_AT(nids_flow6, tunnel)}));
  EXPECT_EQ(offsets_of("nids_flow4_key"),
            (Offsets{NIDS_AT(nids_flow4_key, lo_addr), NIDS_AT(nids_flow4_key, hi_addr),
                     NIDS_AT(nids_flow4_key, lo_port), NIDS_AT(nids_flow4_key, hi_port),
                     NIDS_AT(nids_flow4_key, tail)}));
  EXPECT_EQ(offsets_of("nids_flow6_key"),
            (Offsets{NIDS_AT(nids_flow6_key, lo_addr), NIDS_AT(nids_flow6_key, hi_addr),
                     NIDS_AT(nids_flow6_key, lo_port), NIDS_AT(nids_flow6_key, hi_port),
                     NIDS_AT(nids_flow6_key, tail)}));
  EXPECT_EQ(offsets_of("nids_flow_cell"),
            (Offsets{NIDS_AT(nids_flow_cell, opener), NIDS_AT(nids_flow_cell, history)}));
}

TEST_F(Abi, EachFieldOfAPacketLiesAtTheSameOffsetOnBothSides) {
#define NIDS_FIELD(field) NIDS_AT(nids_packet, field)
  EXPECT_EQ(offsets_of("nids_packet"),
            (Offsets{NIDS_FIELD(src),        NIDS_FIELD(dst),         NIDS_FIELD(src_port),
                     NIDS_FIELD(dst_port),   NIDS_FIELD(vlan),        NIDS_FIELD(ether_type),
                     NIDS_FIELD(l3_offset),  NIDS_FIELD(l4_offset),   NIDS_FIELD(payload_offset),
                     NIDS_FIELD(result),     NIDS_FIELD(network),     NIDS_FIELD(transport),
                     NIDS_FIELD(ip_version), NIDS_FIELD(l4_proto),    NIDS_FIELD(tcp_flags),
                     NIDS_FIELD(vlan_count), NIDS_FIELD(flags),       NIDS_FIELD(icmp_type),
                     NIDS_FIELD(icmp_code),  NIDS_FIELD(payload_len), NIDS_FIELD(quirks),
                     NIDS_FIELD(tunnel),     NIDS_FIELD(fragment_id), NIDS_FIELD(reserved)}));
#undef NIDS_FIELD
#define NIDS_FIELD(field) NIDS_AT(nids_outer, field)
  EXPECT_EQ(offsets_of("nids_outer"),
            (Offsets{NIDS_FIELD(src), NIDS_FIELD(dst), NIDS_FIELD(src_port), NIDS_FIELD(dst_port),
                     NIDS_FIELD(l3_offset), NIDS_FIELD(ip_version), NIDS_FIELD(l4_proto),
                     NIDS_FIELD(key), NIDS_FIELD(has_key), NIDS_FIELD(reserved)}));
#undef NIDS_FIELD
#define NIDS_FIELD(field) NIDS_AT(nids_embedded, field)
  EXPECT_EQ(offsets_of("nids_embedded"),
            (Offsets{NIDS_FIELD(src), NIDS_FIELD(dst), NIDS_FIELD(src_port), NIDS_FIELD(dst_port),
                     NIDS_FIELD(l4_proto), NIDS_FIELD(ip_version), NIDS_FIELD(has_ports),
                     NIDS_FIELD(reserved)}));
#undef NIDS_FIELD
  EXPECT_EQ(offsets_of("nids_tcp_options"),
            (Offsets{NIDS_AT(nids_tcp_options, mss), NIDS_AT(nids_tcp_options, window_scale),
                     NIDS_AT(nids_tcp_options, flags), NIDS_AT(nids_tcp_options, reserved)}));
  EXPECT_EQ(offsets_of("nids_packet_detail"),
            (Offsets{NIDS_AT(nids_packet_detail, outer), NIDS_AT(nids_packet_detail, embedded),
                     NIDS_AT(nids_packet_detail, tcp_options)}));
}

TEST_F(Abi, EachCounterLiesAtTheSameOffsetOnBothSides) {
#define NIDS_FIELD(field) NIDS_AT(nids_counters, field)
  EXPECT_EQ(offsets_of("nids_counters"), (Offsets{NIDS_FIELD(finished),
                                                  NIDS_FIELD(seen),
                                                  NIDS_FIELD(parse),
                                                  NIDS_FIELD(network),
                                                  NIDS_FIELD(transport),
                                                  NIDS_FIELD(tunnel),
                                                  NIDS_FIELD(findings),
                                                  NIDS_FIELD(classes),
                                                  NIDS_FIELD(live),
                                                  NIDS_FIELD(exported),
                                                  NIDS_FIELD(unaccounted),
                                                  NIDS_FIELD(no_flow),
                                                  NIDS_FIELD(flows_created),
                                                  NIDS_FIELD(flows_exported),
                                                  NIDS_FIELD(beyond_depth),
                                                  NIDS_FIELD(not_sampled),
                                                  NIDS_FIELD(ring_offered),
                                                  NIDS_FIELD(ring_lost),
                                                  NIDS_FIELD(copy_failed),
                                                  NIDS_FIELD(cells_replaced),
                                                  NIDS_FIELD(fragments_replaced),
                                                  NIDS_FIELD(gso_headers_unknown),
                                                  NIDS_FIELD(started),
                                                  NIDS_FIELD(first_packets_withheld),
                                                  NIDS_FIELD(dropped),
                                                  NIDS_FIELD(reserved)}));
#undef NIDS_FIELD
#define NIDS_FIELD(field) NIDS_AT(nids_class, field)
  EXPECT_EQ(offsets_of("nids_class"),
            (Offsets{NIDS_FIELD(name), NIDS_FIELD(depth_bytes), NIDS_FIELD(interest),
                     NIDS_FIELD(severity), NIDS_FIELD(identify_packets), NIDS_FIELD(flags)}));
#undef NIDS_FIELD
}

}  // namespace
