// SPDX-License-Identifier: Apache-2.0
// What an interface hides from us, and what is seen twice, in words for `attach` and `status`.
// Reads the kernel's facts at the moment of the call; keeps nothing and changes nothing.
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

// Nothing where a tag stands in the frame, or is read beside it. `takers` are those of the
// interface.
std::optional<Notice> hidden_tags(const LinkFacts& link, nids_mode mode,
                                  std::span<const TagTaker> takers);

// The bridges and bonds above an interface, and its ports, theirs included.
std::vector<LinkFacts> masters_of(const LinkFacts& link, std::span<const LinkFacts> links);
std::vector<LinkFacts> ports_of(const LinkFacts& link, std::span<const LinkFacts> links);

// Of an interface whose masters and ports in `watched` are watched as well.
std::optional<Notice> seen_twice(const LinkFacts& link, std::span<const LinkFacts> links,
                                 std::span<const int> watched);

// What `status` has to say of one interface, the links being those of this network namespace, and
// `watched` the ifindex of each that has programs of ours.
std::vector<Notice> link_notices(const Attachment& attachment, const std::vector<LinkFacts>& links,
                                 std::span<const int> watched);

// Warns about what was just attached, once about each; others' programs in this network namespace
// are looked for where they would see the same packets. `enter` is what runs a command in this
// network namespace, where the user is in another one; else empty.
void warn_about_links(std::span<const Attachment> attached, const std::string& enter,
                      const std::function<void(const std::string&)>& warning);

}  // namespace nids
