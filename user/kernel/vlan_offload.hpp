// SPDX-License-Identifier: Apache-2.0
// Finds the interfaces that take VLAN tags out of a received frame before XDP sees it. Changes
// nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/netlink.hpp"

namespace nids {

// Whether one direction of an interface moves tags from the frame to a place beside it.
struct VlanOffload {
  bool is_on = false;       // for 802.1Q tags
  bool is_on_stag = false;  // for 802.1ad tags
  bool can_be_turned_off = true;
};

// One interface at which tags may leave the frame.
struct TagTaker {
  std::string name;   // of the interface; empty: not known
  std::string enter;  // the prefix that runs a command in its network namespace; may be empty
  std::optional<VlanOffload> offload;  // nothing: not known
  bool is_sender = false;              // the other end of a veth
};

// Reads the features by the kernel's names for them. An error if the interface reports none.
[[nodiscard]] Result<VlanOffload> receive_vlan_offload(const std::string& ifname);
[[nodiscard]] Result<VlanOffload> transmit_vlan_offload(const std::string& ifname);

// The interfaces that may take tags out of frames that this one receives. For a veth it is the
// other end, because the sender decides. For a bond it is each port, because in native mode the
// ports run the program. Otherwise it is the interface itself. `links`: those of this network
// namespace.
std::vector<TagTaker> tag_takers(const LinkFacts& link, const std::vector<LinkFacts>& links);

}  // namespace nids
