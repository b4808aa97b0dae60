// SPDX-License-Identifier: Apache-2.0
// The layouts as clang's BPF target sees them, against those of this compiler.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <memory>

#include "nids.skel.h"
#include "nids/abi/clock.h"
#include "nids/abi/event.h"

namespace {

struct Skeleton {
  nids_bpf* bpf = nids_bpf__open();
  ~Skeleton() { nids_bpf__destroy(bpf); }
};

// Bytes of a struct in the object's own type information, or -1.
long size_in_object(const char* name) {
  const Skeleton skeleton;
  if (!skeleton.bpf) return -1;
  const btf* types = bpf_object__btf(skeleton.bpf->obj);
  const int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
  return id < 0 ? -1 : static_cast<long>(btf__type_by_id(types, static_cast<__u32>(id))->size);
}

TEST(Abi, EveryStructHasTheSameSizeOnBothSides) {
  EXPECT_EQ(size_in_object("nids_info"), long{sizeof(nids_info)});
  EXPECT_EQ(size_in_object("nids_counters"), long{sizeof(nids_counters)});
  EXPECT_EQ(size_in_object("nids_agent_counters"), long{sizeof(nids_agent_counters)});
  EXPECT_EQ(size_in_object("nids_class"), long{sizeof(nids_class)});
  EXPECT_EQ(size_in_object("nids_flow_set"), long{sizeof(nids_flow_set)});
  EXPECT_EQ(size_in_object("nids_flow_slot"), long{sizeof(nids_flow_slot)});
  EXPECT_EQ(size_in_object("nids_packet"), long{sizeof(nids_packet)});
  EXPECT_EQ(size_in_object("nids_clock"), long{sizeof(nids_clock)});
}

TEST(Abi, APacketFieldLiesAtTheSameOffsetOnBothSides) {
  const Skeleton skeleton;
  ASSERT_NE(skeleton.bpf, nullptr);
  const btf* types = bpf_object__btf(skeleton.bpf->obj);
  const int id = btf__find_by_name_kind(types, "nids_packet", BTF_KIND_STRUCT);
  ASSERT_GT(id, 0);
  const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
  const btf_member* members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const std::string name = btf__name_by_offset(types, members[i].name_off);
    const auto offset = btf_member_bit_offset(type, static_cast<__u32>(i)) / 8;
    if (name == "src_port") {
      EXPECT_EQ(offset, offsetof(nids_packet, src_port));
    } else if (name == "payload_len") {
      EXPECT_EQ(offset, offsetof(nids_packet, payload_len));
    }
  }
}

}  // namespace
