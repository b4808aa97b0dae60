// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "kernel/attachment.hpp"
#include "kernel/netlink.hpp"
#include "kernel/tc.hpp"

namespace nids {
namespace {

struct Candidate {
  std::uint32_t program_id = 0;
  bool by_dispatcher = false;
  nids_mode mode = NIDS_MODE_NATIVE;
};

// Programs that extend `target`, found by their links: libxdp's own record of them is in a bpffs
// that this process may not see.
std::vector<std::uint32_t> extensions_of(std::uint32_t target) {
  std::vector<std::uint32_t> programs;
  for (std::uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const Fd link{bpf_link_get_fd_by_id(id)};
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (!link || bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0) continue;
    if (info.type == BPF_LINK_TYPE_TRACING && info.tracing.target_obj_id == target)
      programs.push_back(info.prog_id);
  }
  return programs;
}

// What may be ours for incoming packets. An error here is the lack of privileges: no id, no
// program.
Result<std::vector<Candidate>> ingress_candidates(int ifindex) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  if (const int error = bpf_xdp_query(ifindex, 0, &query); error != 0)
    return Error{.action = "ask for XDP programs", .error_number = -error};
  std::vector<Candidate> candidates;
  const auto consider = [&](std::uint32_t id, nids_mode mode) {
    if (id == 0) return;
    candidates.push_back({id, false, mode});
    for (const std::uint32_t extension : extensions_of(id))
      candidates.push_back({extension, true, mode});
  };
  consider(query.drv_prog_id, NIDS_MODE_NATIVE);
  consider(query.skb_prog_id, NIDS_MODE_SKB);
  const auto id = filter_program(ifindex, TcHook::kIngress);
  if (!id) return id.error();
  if (*id != 0) candidates.push_back({*id, false, NIDS_MODE_TC});
  return candidates;
}

// The program's maps; nothing where it is somebody else's, or was unloaded since it was listed.
Result<std::optional<Maps>> maps_if_ours(std::uint32_t program_id) {
  auto maps = Maps::of_program(program_id);
  if (!maps && maps.error().error_number != ENOENT) return maps.error();
  if (!maps || !maps->are_ours()) return std::optional<Maps>{};
  return std::optional<Maps>{std::move(*maps)};
}

}  // namespace

const char* mode_name(std::uint32_t mode) {
  return mode == NIDS_MODE_NATIVE ? "native"
         : mode == NIDS_MODE_SKB  ? "skb"
         : mode == NIDS_MODE_TC   ? "tc"
                                  : "none";
}

Result<std::optional<Attachment>> find_attachment(int ifindex, const std::string& ifname) {
  Attachment found{.ifindex = ifindex, .ifname = ifname};
  auto candidates = ingress_candidates(ifindex);
  if (!candidates) return candidates.error();
  for (const Candidate& candidate : *candidates) {
    auto maps = maps_if_ours(candidate.program_id);
    if (!maps) return maps.error();
    if (!*maps) continue;
    found.ingress_id = candidate.program_id;
    found.by_dispatcher = candidate.by_dispatcher;
    found.mode = candidate.mode;
    found.maps = std::move(**maps);
    break;
  }
  // The older qdisc `ingress` has one list of filters, and shows it for both ways.
  const auto id = filter_program(ifindex, TcHook::kEgress);
  if (!id) return id.error();
  if (*id != 0 && *id != found.ingress_id) {
    auto maps = maps_if_ours(*id);
    if (!maps) return maps.error();
    if (*maps) {
      found.egress_id = *id;
      if (found.ingress_id == 0) found.maps = std::move(**maps);
    }
  }
  if (found.ingress_id == 0 && found.egress_id == 0) return std::optional<Attachment>{};
  return std::optional<Attachment>{std::move(found)};
}

Result<std::vector<Attachment>> find_attachments() {
  std::vector<Attachment> attachments;
  auto links = list_links();
  if (!links) return links.error();
  for (const LinkFacts& link : *links) {
    auto found = find_attachment(link.ifindex, link.name);
    if (!found && found.error().error_number == ENODEV) continue;  // deleted since it was listed
    if (!found) return found.error();
    if (*found) attachments.push_back(std::move(**found));
  }
  return attachments;
}

}  // namespace nids
