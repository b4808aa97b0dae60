// SPDX-License-Identifier: Apache-2.0
// Messages of `attach` and `status` about VLAN tags that an interface hides, and about packets that
// are seen twice. Stores nothing and changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/attachment.hpp"
#include "kernel/netlink.hpp"
#include "kernel/vlan_offload.hpp"

namespace nids {

struct Notice {
  std::string what;    // "VLAN tags are not seen: ..."
  std::string remedy;  // a command where there is one
  bool operator==(const Notice&) const = default;
};

// Nothing if the programs see all tags, in the frame or beside it. `takers`: tag_takers() of the
// interface.
std::optional<Notice> hidden_tags(const LinkFacts& link, nids_mode mode,
                                  std::span<const TagTaker> takers);

// The bridges and bonds above an interface, and its ports, at any depth.
std::vector<LinkFacts> masters_of(const LinkFacts& link, std::span<const LinkFacts> links);
std::vector<LinkFacts> ports_of(const LinkFacts& link, std::span<const LinkFacts> links);

// The notice if a master or port of the interface is in `watched`.
std::optional<Notice> seen_twice(const LinkFacts& link, std::span<const LinkFacts> links,
                                 std::span<const int> watched);

// The notices of `status` about one interface. `links`: those of this network namespace. `watched`:
// the ifindex of each that has programs of ours.
std::vector<Notice> link_notices(const Attachment& attachment, const std::vector<LinkFacts>& links,
                                 std::span<const int> watched);

// Warns once about each interface that was just attached. Looks on its masters and ports also for
// programs that another agent attached. `enter` is the prefix that runs a command in this network
// namespace; empty if the user is in it.
void warn_about_links(std::span<const Attachment> attached, const std::string& enter,
                      const std::function<void(const std::string&)>& warning);

}  // namespace nids
