// SPDX-License-Identifier: Apache-2.0
#include "agent/adoption.hpp"

#include <linux/if_arp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "agent/class_table.hpp"
#include "agent/process.hpp"
#include "kernel/class_tables.hpp"
#include "kernel/interface_claim.hpp"
#include "kernel/tc.hpp"

namespace nids {
namespace {

constexpr auto kReaderMayTake = std::chrono::seconds(7);  // longer than it goes on without a parent
constexpr auto kOtherAgentMayTake = std::chrono::seconds(10);  // to attach, or to end
constexpr auto kLookEvery = std::chrono::milliseconds(20);

// The link types of interfaces that one meets; the kernel has no names for people.
std::string link_type_name(const LinkFacts& link) {
  const std::string kind = link.kind.empty() ? "" : link.kind + ", ";
  switch (link.type) {
    case ARPHRD_NONE:
      return kind + "bare IP packets";
    case ARPHRD_PPP:
      return kind + "PPP";
    case ARPHRD_TUNNEL:
      return kind + "IP in IPv4";
    case ARPHRD_TUNNEL6:
      return kind + "IP in IPv6";
    case ARPHRD_SIT:
      return kind + "IPv6 in IPv4";
    case ARPHRD_IPGRE:
      return kind + "GRE over IPv4";
    case ARPHRD_IP6GRE:
      return kind + "GRE over IPv6";
    case ARPHRD_RAWIP:
      return kind + "raw IP";
    case ARPHRD_INFINIBAND:
      return kind + "InfiniBand";
    default:
      return kind + "link type " + std::to_string(link.type);
  }
}

// What the program would take for an Ethernet header is none.
Result<void> check_link_type(const LinkFacts& link) {
  if (link.type == ARPHRD_ETHER || link.type == ARPHRD_LOOPBACK) return {};
  return Error{.action = "attach to " + link.name,
               .reason = "its packets have no Ethernet header (" + link_type_name(link) + ")",
               .hint = "watch the interface that carries it, or the one behind it"};
}

bool is_of(nids_mode mode, ModeChoice choice) {
  return choice == ModeChoice::kAuto ||
         (choice == ModeChoice::kNative && mode == NIDS_MODE_NATIVE) ||
         (choice == ModeChoice::kSkb && mode == NIDS_MODE_SKB) ||
         (choice == ModeChoice::kTc && mode == NIDS_MODE_TC);
}

// Links between virtual machines and namespaces pass whole super-packets on, until native XDP is
// there, which takes one frame at a time.
bool loses_offloads_to_xdp(const LinkFacts& link) {
  return link.kind == "veth" || link.bus == "virtio";
}

Result<void> write_classes(const Attachment& attachment, const ProgramSetup& setup) {
  if (auto waited = wait_for_packets(); !waited) return waited;
  auto written = write_next_classes(attachment.maps, setup.classes, *setup.ports);
  if (!written) return written;
  const auto classes = ClassSwitch::of(attachment.maps);
  if (!classes) return classes.error();
  classes->flip();
  return {};
}

// Slots and counters know classes by index: another name there would make them lie.
bool has_indexes(const Attachment& attachment, const ClassIndexes& classes) {
  const auto there = read_classes(attachment.maps);
  if (!there) return false;
  const ClassIndexes indexes = indexes_of(*there);
  return std::ranges::equal(indexes, classes, [](const IndexedClass& a, const IndexedClass& b) {
    return a.rule.name.empty() || a.rule.name == b.rule.name;
  });
}

// Unused code of an interest does no harm. The features in kExact change the counters, so these
// features must be equal.
bool are_features_right(std::uint32_t loaded, std::uint32_t wanted) {
  constexpr std::uint32_t kExact = NIDS_FEATURE_FINDINGS | NIDS_FEATURE_UNCLASSIFIED;
  return (wanted & ~loaded) == 0 && (loaded & kExact) == (wanted & kExact);
}

// Returns why attached programs can't be taken over, apart from their classes. Returns nothing if
// they can.
std::optional<std::string> misfit_but_for_classes(const Attachment& attachment,
                                                  const AttachRequest& request) {
  if (!attachment.maps.fit()) return "they are of another version";
  const auto info = attachment.maps.info();
  if (!info || info->mode == 0) return "they were never completed";
  if (request.egress != (attachment.egress_id != 0)) return "they watch other directions";
  if (attachment.ingress_id == 0) return "that for incoming packets was removed";
  if (!is_of(attachment.mode, request.mode)) return "they run in another mode";
  const Config& config = request.config;
  if (info->sets4_per_cpu * NIDS_WAYS != config.flow.slots_per_cpu ||
      info->sets6_per_cpu * NIDS_WAYS != config.flow.ipv6_slots_per_cpu)
    return "their flow tables have other sizes";
  if (info->ring_bytes != config.ring.size_bytes || info->snap_bytes != config.ring.snap_bytes ||
      info->sample_bytes != config.ring.sample_bytes)
    return "their rings or snaps have other sizes";
  if (!are_features_right(info->features, abi_features(config)))
    return "they were loaded for other interests";
  return std::nullopt;
}

// Returns why the flows of these programs can't join those of the other interfaces of the link.
// Returns nothing if they can.
std::optional<std::string> link_misfit(const Attachment& attachment, const ProgramSetup& setup) {
  const auto info = attachment.maps.info();
  if (!info || info->rings != setup.rings)
    return "the other interfaces of its link have another number of rings";
  const auto keys = attachment.maps.hash_keys();
  if (!keys || !setup.hash_keys || !std::ranges::equal(keys->word, *setup.hash_keys))
    return "the other interfaces of its link have other hash keys";
  return std::nullopt;
}

std::optional<std::string> misfit(const Attachment& attachment, const AttachRequest& request,
                                  const ClassIndexes& classes) {
  auto why = misfit_but_for_classes(attachment, request);
  if (!why && !has_indexes(attachment, classes)) why = "their classes have other indexes";
  return why;
}

Result<Attachment> attach_new(const LinkFacts& link, const AttachOptions& options,
                              const Supervisor::Callbacks& callbacks) {
  auto attachment = attach(link.ifindex, link.name, options);
  if (!attachment) return attachment;
  for (const auto& [hook, is_used] : {std::pair{TcHook::kIngress, attachment->mode == NIDS_MODE_TC},
                                      std::pair{TcHook::kEgress, attachment->egress_id != 0}})
    if (const std::string before = is_used ? filters_before_ours(link.ifindex, hook) : "";
        !before.empty())
      callbacks.warning("on " + link.name + " packets meet other filters first (" + before +
                        "); what those decide is not seen");
  if (options.mode != ModeChoice::kAuto) return attachment;
  if (attachment->mode == NIDS_MODE_NATIVE) {
    if (loses_offloads_to_xdp(link))
      callbacks.info(link.name + " is a " + (link.kind.empty() ? link.bus : link.kind) +
                     " link: native XDP turns off its offloads, which slows bulk TCP down; "
                     "--mode tc leaves them on");
    return attachment;
  }
  const auto info = attachment->maps.info();
  callbacks.warning(link.name +
                    " is watched in skb mode, which costs more CPU: " + (info ? info->reason : ""));
  return attachment;
}

// Two agents on one ring would each have a part of the records.
Result<void> check_no_agent(const Attachment& attachment) {
  const std::string action = "attach to " + attachment.ifname;
  const auto counters = attachment.maps.agent();
  if (!counters) return {};  // of no version that had agents
  const auto agent = pid_here(agent_process(*counters));
  if (!agent)
    return Error{.action = action,
                 .reason = "it was attached by process " + std::to_string(counters->pid) +
                           " of the PID namespace " + std::to_string(counters->pid_namespace) +
                           ", in another container most likely; whether that still runs can't be "
                           "seen from here",
                 .hint = "end it there; where it is gone: nids-xdp detach " + attachment.ifname +
                         ", then attach again"};
  if (*agent == 0) return {};
  return Error{.action = action,
               .reason = "nids-xdp already watches it, process " + std::to_string(*agent),
               .hint = "to end that one: nids-xdp detach " + attachment.ifname};
}

// The reader of a parent that was killed takes what is left, and ends.
Result<void> await_reader_end(const Attachment& attachment) {
  const auto deadline = std::chrono::steady_clock::now() + kReaderMayTake;
  for (;;) {
    const auto counters = attachment.maps.agent();
    if (!counters) return {};
    const auto reader = pid_here(reader_process(*counters));
    if (!reader || *reader == 0) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return Error{.action = "attach to " + attachment.ifname,
                   .reason = "process " + std::to_string(*reader) +
                             " of an earlier agent still reads its records, and does not end",
                   .hint = "kill -9 " + std::to_string(*reader) + ", then attach again"};
    std::this_thread::sleep_for(kLookEvery);
  }
}

// Agents with other root directories do not share our lock, so the interface itself is claimed.
// While another process has it, it attaches, watches or ends: the programs say which.
Result<Fd> claim(const LinkFacts& link, const Supervisor::Callbacks& callbacks) {
  const auto deadline = std::chrono::steady_clock::now() + kOtherAgentMayTake;
  for (;;) {
    auto claimed = claim_interface(link.ifindex);
    if (claimed) return claimed;
    if (claimed.error().error_number != EBUSY) {
      callbacks.warning("cannot claim " + link.name + ": " + claimed.error().message() +
                        "\n  an agent with another NIDS_XDP_ROOT could watch it too");
      return Fd{};
    }
    if (const auto found = find_attachment(link.ifindex, link.name); found && *found)
      if (auto free = check_no_agent(**found); !free) return free.error();
    if (std::chrono::steady_clock::now() > deadline)
      return Error{.action = "attach to " + link.name,
                   .reason = "another nids-xdp attaches to it or ends, and does not finish",
                   .hint = "try again once it has ended"};
    std::this_thread::sleep_for(kLookEvery);
  }
}

// Reports a number of rings that is not the configured one. It stays, because rings hold records.
void tell_rings(const Attachment& attachment, const Config& config,
                const Supervisor::Callbacks& callbacks) {
  const auto info = attachment.maps.info();
  const std::uint32_t wanted = worker_count(config);
  if (!info || info->rings == wanted) return;
  callbacks.info("taking over " + std::to_string(info->rings) +
                 (info->rings == 1 ? " ring" : " rings") + " of " + attachment.ifname +
                 " instead of the " + std::to_string(wanted) + " configured as `workers`");
}

Result<PlacedPrograms> place_new(const LinkFacts& link, const AttachOptions& options,
                                 const Supervisor::Callbacks& callbacks) {
  auto attachment = attach_new(link, options, callbacks);
  if (!attachment) return attachment.error();
  return PlacedPrograms{.attachment = std::move(*attachment), .is_adopted = false, .claim = Fd{}};
}

// Of an interface that is claimed.
Result<PlacedPrograms> place_claimed(const LinkFacts& link, const AttachRequest& request,
                                     const ClassIndexes& classes, const AttachOptions& options,
                                     bool is_joined, const Supervisor::Callbacks& callbacks) {
  auto found = find_attachment(link.ifindex, link.name);
  if (!found) return found.error();
  if (!*found) return place_new(link, options, callbacks);

  Attachment& there = **found;
  if (auto free = check_no_agent(there); !free) return free.error();
  if (auto ended = await_reader_end(there); !ended) return ended.error();
  auto why = misfit(there, request, classes);
  if (!why && is_joined) why = link_misfit(there, options.setup);
  if (why) {
    callbacks.warning("replacing the programs that an earlier agent left on " + link.name + ": " +
                      *why);
    if (auto removed = detach(there); !removed) return removed.error();
    return place_new(link, options, callbacks);
  }
  callbacks.info("taking over the programs that an earlier agent left on " + link.name +
                 "; their counters go on");
  tell_rings(there, request.config, callbacks);
  if (auto written = write_classes(there, options.setup); !written) return written.error();
  there.maps.uncount_records_to_be_taken_again();
  return PlacedPrograms{.attachment = std::move(there), .is_adopted = true, .claim = Fd{}};
}

}  // namespace

Result<std::vector<LinkFacts>> links_to_watch(const std::vector<std::string>& names) {
  std::vector<LinkFacts> links;
  if (names.empty()) {
    auto link = default_route_link();
    if (!link) return link.error();
    links.push_back(*link);
  }
  for (const std::string& name : names) {
    auto link = find_link(name);
    if (!link) return link.error();
    const auto is_same = [&](const LinkFacts& other) { return other.ifindex == link->ifindex; };
    if (std::ranges::none_of(links, is_same)) links.push_back(*link);
  }
  for (const LinkFacts& link : links)
    if (auto taken = check_link_type(link); !taken) return taken.error();
  return links;
}

// Programs with too few unused indexes for the classes are replaced later.
ClassIndexes indexes_with_adopted(const std::vector<LinkFacts>& links,
                                  const AttachRequest& request) {
  ClassIndexes before(NIDS_CLASS_MAX);
  for (const LinkFacts& link : links) {
    const auto found = find_attachment(link.ifindex, link.name);
    if (!found || !*found || misfit_but_for_classes(**found, request)) continue;
    if (const auto classes = read_classes((*found)->maps))
      add_indexes(before, indexes_of(*classes));
  }
  auto placed = place_classes(before, request.config.classes, {});
  if (!placed || placed->reused.any()) return indexes_in_order(request.config.classes);
  return placed->classes;
}

Result<void> share_with_adopted(const std::vector<LinkFacts>& links, const AttachRequest& request,
                                const ClassIndexes& classes, ProgramSetup& setup) {
  for (const LinkFacts& link : links) {
    const auto found = find_attachment(link.ifindex, link.name);
    if (!found || !*found || misfit(**found, request, classes)) continue;
    const auto keys = (*found)->maps.hash_keys();
    if (!keys) continue;
    std::ranges::copy(keys->word, setup.hash_keys.emplace().begin());
    if (const auto info = (*found)->maps.info()) setup.rings = info->rings;
    return {};
  }
  auto keys = random_hash_keys();
  if (!keys) return keys.error();
  setup.hash_keys = *keys;
  return {};
}

Result<PlacedPrograms> place_programs(const LinkFacts& link, const AttachRequest& request,
                                      const ClassIndexes& classes, const AttachOptions& options,
                                      const Links& links, const Supervisor::Callbacks& callbacks) {
  auto claimed = claim(link, callbacks);
  if (!claimed) return claimed.error();
  const bool is_joined = links.find(links.id_of(static_cast<std::uint32_t>(link.ifindex)));
  auto placed = place_claimed(link, request, classes, options, is_joined, callbacks);
  if (placed) placed->claim = std::move(*claimed);
  return placed;
}

}  // namespace nids
