// SPDX-License-Identifier: Apache-2.0
// Programs on an interface: attaching, finding, removing. The kernel is the one record of what is
// attached; nothing here depends on pins or on who started us.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/maps.hpp"
#include "kernel/object.hpp"
#include "nids/result.hpp"

namespace nids {

// How incoming packets are to be watched; kAuto: native XDP, else that of skb mode.
enum class ModeChoice { kAuto, kNative, kSkb, kTc };

struct AttachOptions {
  ModeChoice mode = ModeChoice::kAuto;
  bool egress = true;
  ProgramSetup setup;
};

// Our programs on one interface.
struct Attachment {
  int ifindex = 0;
  std::string ifname;            // as it is now
  std::uint32_t ingress_id = 0;  // 0: not, or no longer, attached
  std::uint32_t egress_id = 0;
  nids_mode mode = NIDS_MODE_NATIVE;  // of the ingress program: XDP, or a tc filter
  bool by_dispatcher = false;         // XDP beside other programs, through libxdp
  Maps maps{};
};

// One word for JSON and people.
const char* mode_name(std::uint32_t mode);

// Nothing where the interface has no program of ours.
[[nodiscard]] Result<std::optional<Attachment>> find_attachment(int ifindex,
                                                                const std::string& ifname);
// Of this network namespace.
[[nodiscard]] Result<std::vector<Attachment>> find_attachments();

// Loads and attaches. Never replaces anybody's program; what it did is undone where it fails.
[[nodiscard]] Result<Attachment> attach(int ifindex, const std::string& ifname,
                                        const AttachOptions& options);

// Removes our programs, and the clsact qdisc where it is ours and nobody else uses it.
[[nodiscard]] Result<void> detach(const Attachment& attachment);

}  // namespace nids
