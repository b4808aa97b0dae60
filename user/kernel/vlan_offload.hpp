// SPDX-License-Identifier: Apache-2.0
// Who takes the VLAN tag out of a received frame before XDP sees it. Reads facts, judges nothing,
// changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/netlink.hpp"

namespace nids {

// Of one direction of an interface: tags that travel beside the frame, not in it.
struct VlanOffload {
  bool is_on = false;       // for 802.1Q tags
  bool is_on_stag = false;  // for 802.1ad tags
  bool can_be_turned_off = true;
};

// One interface at which tags may leave the frame.
struct TagTaker {
  std::string name;   // of the interface; empty: not known
  std::string enter;  // what runs a command in its network namespace; empty: nothing is needed
  std::optional<VlanOffload> offload;  // nothing: it can't be seen
  bool is_sender = false;              // the other end of a veth
};

// By the names that the kernel gives features; an error where the interface tells none.
[[nodiscard]] Result<VlanOffload> receive_vlan_offload(const std::string& ifname);
[[nodiscard]] Result<VlanOffload> transmit_vlan_offload(const std::string& ifname);

// Who may take tags out of what this interface receives: itself; of a veth its other end, since the
// sender decides there; of a bond in native mode, whose program its ports run, each of these.
// `links` are those of this network namespace.
std::vector<TagTaker> tag_takers(const LinkFacts& link, const std::vector<LinkFacts>& links);

}  // namespace nids
