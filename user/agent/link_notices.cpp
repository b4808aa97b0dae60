// SPDX-License-Identifier: Apache-2.0
#include "agent/link_notices.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "kernel/shell_word.hpp"

namespace nids {
namespace {

constexpr const char* kUseTc = "attach with --mode tc";

// They get their packets from other interfaces of this host, where Linux has already moved the
// outermost tag out of the frame, by the time XDP in skb mode runs. Found by experiment on a
// bridge.
bool gets_frames_untagged(const LinkFacts& link) {
  constexpr std::array<std::string_view, 7> kKinds{"bridge",  "bond",   "team",       "macvlan",
                                                   "macvtap", "ipvlan", "openvswitch"};
  return std::ranges::find(kKinds, link.kind) != kKinds.end();
}

bool may_take(const TagTaker& taker) {
  if (!taker.offload) return taker.is_sender;  // a veth's is on unless it was turned off
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
  if (!taker.offload) return "the other end of this veth is out of sight";
  return taker.name + ", the other end of this veth, sends them beside the frame";
}

template <class Parts>
std::string joined(const Parts& parts, const char* between) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : between) + std::string(part);
  return text;
}

const LinkFacts* with_index(std::span<const LinkFacts> links, int ifindex) {
  const auto at = std::ranges::find(links, ifindex, &LinkFacts::ifindex);
  return at == links.end() ? nullptr : &*at;
}

// The filter for outgoing packets reads tags beside the frame, so only incoming ones are asked for.
std::optional<Notice> tag_notice(const Attachment& attachment, const LinkFacts& link,
                                 const std::vector<LinkFacts>& links, const std::string& enter) {
  if (attachment.ingress_id == 0 || attachment.mode == NIDS_MODE_TC) return std::nullopt;
  auto takers = tag_takers(link, links);
  for (TagTaker& taker : takers)
    if (taker.enter.empty() && taker.offload) taker.enter = enter;  // it lies beside the interface
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
  return Notice{
      std::string(is_any_kind ? "" : "802.1ad ") + "VLAN tags " + (is_certain ? "are" : "may") +
          " not " + (is_certain ? "" : "be ") + "seen: " + joined(causes, ", "),
      can_be_turned_off ? (is_certain ? "" : "there: ") + joined(commands, " && ") : kUseTc};
}

std::vector<Notice> link_notices(const Attachment& attachment,
                                 const std::vector<LinkFacts>& links) {
  std::vector<Notice> notices;
  const LinkFacts* link = with_index(links, attachment.ifindex);
  if (link == nullptr) return notices;
  if (auto notice = tag_notice(attachment, *link, links, ""); notice)
    notices.push_back(std::move(*notice));
  return notices;
}

void warn_about_links(std::span<const Attachment> attached, const std::string& enter,
                      const std::function<void(const std::string&)>& warning) {
  const auto links = list_links();
  if (!links) return;  // each of them was found a moment ago: nothing depends on it
  for (const Attachment& attachment : attached) {
    const LinkFacts* link = with_index(*links, attachment.ifindex);
    if (link == nullptr) continue;
    if (const auto notice = tag_notice(attachment, *link, *links, enter))
      warning("on " + link->name + " " + notice->what +
              "; packets of different VLANs share flows and alerts\n  hint: " + notice->remedy +
              (notice->remedy == kUseTc ? "" : std::string("; or ") + kUseTc));
  }
}

}  // namespace nids
