// SPDX-License-Identifier: Apache-2.0
#include "agent/link_notices.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "kernel/shell_word.hpp"
#include "nids/join.hpp"

namespace nids {
namespace {

constexpr std::size_t kMaxMasters = 8;  // Linux nests them that deep at most
constexpr const char* kUseTc = "attach with --mode tc";

// These interfaces get their packets from other interfaces of this host. Linux has already taken
// the outermost tag out of the frame there, before XDP in skb mode runs. Tested on a bridge.
bool gets_frames_untagged(const LinkFacts& link) {
  constexpr std::array<std::string_view, 7> kKinds{"bridge",  "bond",   "team",       "macvlan",
                                                   "macvtap", "ipvlan", "openvswitch"};
  return std::ranges::find(kKinds, link.kind) != kKinds.end();
}

bool may_take(const TagTaker& taker) {
  if (!taker.offload) return taker.is_sender;  // the offload of a veth is on by default
  return taker.offload->is_on || taker.offload->is_on_stag;
}

std::string command_for(const TagTaker& taker) {
  const VlanOffload offload =
      taker.offload.value_or(VlanOffload{.is_on = true, .is_on_stag = true});
  std::string command = taker.enter + (taker.enter.empty() ? "" : " ") + "ethtool -K " +
                        (taker.name.empty() ? "NAME" : shell_word(taker.name));
  if (offload.is_on) command += taker.is_sender ? " txvlan off" : " rxvlan off";
  if (offload.is_on_stag)
    command += taker.is_sender ? " tx-vlan-stag-hw-insert off" : " rx-vlan-stag-hw-parse off";
  return command;
}

std::string cause(const TagTaker& taker) {
  if (!taker.is_sender) return "the receive offload of " + taker.name + " takes them out";
  if (!taker.offload) return "the other end of this veth was not found";
  return taker.name + ", the other end of this veth, sends them beside the frame";
}

std::vector<LinkFacts> those_watched(std::vector<LinkFacts> links, std::span<const int> watched) {
  std::erase_if(links, [&](const LinkFacts& link) {
    return std::ranges::find(watched, link.ifindex) == watched.end();
  });
  return links;
}

std::string names_of(std::span<const LinkFacts> links) {
  std::vector<std::string> names;
  for (const LinkFacts& link : links) names.push_back(link.name);
  return join(names, ", ");
}

std::string watched_too(const std::string& kind, std::span<const LinkFacts> links) {
  const bool is_one = links.size() == 1;
  return "its " + kind + (is_one ? " " : "s ") + names_of(links) + (is_one ? " is" : " are") +
         " watched too";
}

const LinkFacts* with_index(std::span<const LinkFacts> links, int ifindex) {
  const auto at = std::ranges::find(links, ifindex, &LinkFacts::ifindex);
  return at == links.end() ? nullptr : &*at;
}

bool is_watched_here(const LinkFacts& link) {
  const auto found = find_attachment(link.ifindex, link.name);
  return found && *found;
}

std::string twice_text(const LinkFacts& port, const LinkFacts& master) {
  return port.name + " is a port of " + master.name +
         ", and both are watched: packets that pass both are counted twice, and may raise two "
         "alerts\n"
         "  hint: watch one of the two";
}

// Only incoming packets matter, because the filter for outgoing ones reads tags beside the frame.
std::optional<Notice> tag_notice(const Attachment& attachment, const LinkFacts& link,
                                 const std::vector<LinkFacts>& links, const std::string& enter) {
  if (attachment.ingress_id == 0 || attachment.mode == NIDS_MODE_TC) return std::nullopt;
  auto takers = tag_takers(link, links);
  for (TagTaker& taker : takers)
    if (taker.enter.empty() && taker.offload)
      taker.enter = enter;  // it is in the namespace of the interface
  return hidden_tags(link, attachment.mode, takers);
}

}  // namespace

std::optional<Notice> hidden_tags(const LinkFacts& link, nids_mode mode,
                                  std::span<const TagTaker> takers) {
  if (mode != NIDS_MODE_NATIVE && mode != NIDS_MODE_SKB) return std::nullopt;
  if (mode == NIDS_MODE_SKB && gets_frames_untagged(link))
    return Notice{
        "VLAN tags are not seen: in skb mode a " + link.kind + " shows packets without them",
        kUseTc};
  std::vector<std::string> causes, commands;
  bool is_certain = false, is_any_kind = false, can_be_turned_off = true;
  for (const TagTaker& taker : takers) {
    if (!may_take(taker)) continue;
    causes.push_back(cause(taker));
    commands.push_back(command_for(taker));
    is_certain = is_certain || taker.offload;
    is_any_kind = is_any_kind || !taker.offload || taker.offload->is_on;
    can_be_turned_off = can_be_turned_off && (!taker.offload || taker.offload->can_be_turned_off);
  }
  if (causes.empty()) return std::nullopt;
  return Notice{std::string(is_any_kind ? "" : "802.1ad ") + "VLAN tags " +
                    (is_certain ? "are not seen: " : "might not be seen: ") + join(causes, ", "),
                can_be_turned_off
                    ? (is_certain ? "" : "at the other end: ") + join(commands, " && ")
                    : kUseTc};
}

std::vector<LinkFacts> masters_of(const LinkFacts& link, std::span<const LinkFacts> links) {
  std::vector<LinkFacts> masters;
  for (const LinkFacts* at = with_index(links, link.master);
       at != nullptr && at->ifindex != 0 && masters.size() < kMaxMasters;
       at = with_index(links, at->master))
    masters.push_back(*at);
  return masters;
}

std::vector<LinkFacts> ports_of(const LinkFacts& link, std::span<const LinkFacts> links) {
  std::vector<LinkFacts> ports;
  for (const LinkFacts& other : links)
    if (with_index(masters_of(other, links), link.ifindex) != nullptr) ports.push_back(other);
  return ports;
}

std::optional<Notice> seen_twice(const LinkFacts& link, std::span<const LinkFacts> links,
                                 std::span<const int> watched) {
  const auto masters = those_watched(masters_of(link, links), watched);
  const auto ports = those_watched(ports_of(link, links), watched);
  if (masters.empty() && ports.empty()) return std::nullopt;
  std::string what = "packets are seen twice: ";
  if (!masters.empty()) what += watched_too("master", masters);
  if (!masters.empty() && !ports.empty()) what += "; ";
  if (!ports.empty()) what += watched_too("port", ports);
  return Notice{what, "detach from one of them"};
}

std::vector<Notice> link_notices(const Attachment& attachment, const std::vector<LinkFacts>& links,
                                 std::span<const int> watched) {
  std::vector<Notice> notices;
  const LinkFacts* link = with_index(links, attachment.ifindex);
  if (link == nullptr) return notices;
  if (auto notice = tag_notice(attachment, *link, links, ""); notice)
    notices.push_back(std::move(*notice));
  if (auto notice = seen_twice(*link, links, watched)) notices.push_back(std::move(*notice));
  return notices;
}

void warn_about_links(std::span<const Attachment> attached, const std::string& enter,
                      const std::function<void(const std::string&)>& warning) {
  const auto links = list_links();
  if (!links) return;  // only warnings depend on it
  const auto is_ours = [&](const LinkFacts& link) {
    return std::ranges::any_of(attached,
                               [&](const Attachment& one) { return one.ifindex == link.ifindex; });
  };
  for (const Attachment& attachment : attached) {
    const LinkFacts* link = with_index(*links, attachment.ifindex);
    if (link == nullptr) continue;
    if (const auto notice = tag_notice(attachment, *link, *links, enter))
      warning("on " + link->name + " " + notice->what +
              "; packets of different VLANs share flows and alerts\n  hint: " + notice->remedy +
              (notice->remedy == kUseTc ? "" : std::string("; or ") + kUseTc));
    for (const LinkFacts& master : masters_of(*link, *links))
      if (is_ours(master) || is_watched_here(master)) warning(twice_text(*link, master));
    for (const LinkFacts& port : ports_of(*link, *links))
      if (!is_ours(port) && is_watched_here(port)) warning(twice_text(port, *link));
  }
}

}  // namespace nids
