// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_table.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "net/flow_key.h"
#include "net/tcp_flags.hpp"

namespace nids {
namespace {

// Most flows are not due for a record: so many places are read for each flow that may be reported.
constexpr std::size_t kPlacesEach = 64;

constexpr std::uint64_t kJsonSafe = (1ull << 53) - 1;
// The kernel's slots count in jiffies: at most one of HZ=100 behind.
constexpr std::uint64_t kCoarse_ns = 10'000'000;

// The kernel says so too, but each CPU only of what it saw itself.
bool begins_anew(const Flow& flow, const Packet& packet) {
  const bool is_opening = packet.headers.l4_proto == IPPROTO_TCP &&
                          (packet.headers.tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
  const bool has_end = ((flow.tcp_flags[0] | flow.tcp_flags[1]) & (kTcpFin | kTcpRst)) != 0;
  return is_opening && (has_end || packet.time.ns > flow.last.ns + NIDS_IDLE_NS);
}

// Says the same of the same flow in every replay; nothing depends on nobody guessing it.
std::uint64_t id_of(const FlowIdentity& flow, std::uint32_t link, WallTime start) {
  std::uint64_t state = start.ns ^ link;
  const auto mix = [&state](const auto& words) {
    for (const std::uint32_t word : words) {
      state = (state ^ word) * 0x9e3779b97f4a7c15;
      state ^= state >> 29;
    }
  };
  mix(words_of(flow.key));
  if (flow.key.tunnel != NIDS_TUNNEL_NONE) mix(words_of(flow.tunnel));
  return state & kJsonSafe;
}

// Least valuable records first: a flow that was never answered says less than one that was.
constexpr std::array kLeastFirst{
    FlowPhase::kReplaced, FlowPhase::kTcpClosed, FlowPhase::kTcpNew,        FlowPhase::kOther,
    FlowPhase::kIcmp,     FlowPhase::kUdp,       FlowPhase::kTcpEstablished};
static_assert(kLeastFirst.size() == kFlowPhases);

// By enum nids_sender.
struct ClassesByOpener {
  std::uint8_t if_lo, if_hi;
};
ClassesByOpener classes_of(bool opener_is_hi, std::uint8_t class_id, std::uint8_t other_class) {
  if (opener_is_hi) std::swap(class_id, other_class);
  return {class_id, other_class};
}

// Each interface of a link guesses the opener from the first packet that it sees itself. The guess
// of the interface that saw the flow first is right. Slots store times in ticks, so the ports
// decide if both interfaces saw the flow at nearly the same time.
void compare_openers(Flow& flow, bool opener_is_hi, WallTime first) {
  const nids_sender guess = opener_is_hi ? NIDS_FROM_HI : NIDS_FROM_LO;
  if (guess == flow.opener() || first.ns > flow.start.ns + kCoarse_ns) return;
  if (first.ns + kCoarse_ns < flow.start.ns || flow.has_port_of_client(guess))
    flow.set_opener(guess);
}

void learn_handshake(Flow& flow, const Packet& packet) {
  if (packet.headers.l4_proto != IPPROTO_TCP) return;
  const std::size_t at = packet.headers.l4_offset;
  std::uint32_t words[2];  // after the ports, RFC 9293 section 3.1
  std::optional<Handshake::Numbers> numbers;
  if (at != 0 && at + 4 + sizeof(words) <= packet.bytes.size()) {
    std::memcpy(words, packet.bytes.data() + at + 4, sizeof(words));
    numbers = {.sequence = ntohl(words[0]), .acknowledgement = ntohl(words[1])};
  }
  flow.learn_handshake(packet.sender, packet.headers.tcp_flags, numbers);
}

}  // namespace

FlowTable::FlowTable(const Limits& limits, Sink sink)
    : limits_(limits), sink_(std::move(sink)), generations_(1), index_(pool_) {
  pool_.add();
  // Later growth never copies these vectors. Unused pages take no memory.
  generations_.reserve(limits.max_flows + 2);
  free_.reserve(limits.max_flows + 2);
}

void FlowTable::append(std::uint32_t place) {
  Flow& flow = pool_[place];
  List& list = lists_[static_cast<std::size_t>(flow.phase)];
  flow.previous = list.last;
  flow.next = kNone;
  (list.last == kNone ? list.first : pool_[list.last].next) = place;
  list.last = place;
}

void FlowTable::unlink(std::uint32_t place) {
  const Flow& flow = pool_[place];
  List& list = lists_[static_cast<std::size_t>(flow.phase)];
  (flow.previous == kNone ? list.first : pool_[flow.previous].next) = flow.next;
  (flow.next == kNone ? list.last : pool_[flow.next].previous) = flow.previous;
}

void FlowTable::touch(std::uint32_t place) {
  unlink(place);
  Flow& flow = pool_[place];
  if (flow.phase != FlowPhase::kReplaced) flow.phase = flow.phase_now();
  flow.scan = scan_;
  append(place);
}

void FlowTable::tell(std::uint32_t place, FlowReason reason) {
  Flow& flow = pool_[place];
  // Of a flow that was told while it went on, its end is news, too.
  const bool was_told = reason != FlowReason::kInterim && flow.told().ns != 0;
  if (flow.has_counts() || was_told) sink_(flow, reason);
  if (observer_ && flow.is_started && reason != FlowReason::kInterim)
    observer_(ref_of(place), flow, FlowChange::kEnd);
  flow.clear_counts();
}

void FlowTable::forget(std::uint32_t place) {
  Flow& flow = pool_[place];
  unlink(place);
  if (flow.phase != FlowPhase::kReplaced) index_.erase(place);
  if (flow.newer() != kNone) pool_[flow.newer()].set_older(kNone);
  if (flow.older() != kNone) pool_[flow.older()].set_newer(flow.newer());
  flow = Flow{};  // at() finds it no more
  ++generations_[place];
  free_.push_back(place);
}

// The one silent longest of those that tell least: what was never answered, before what was.
void FlowTable::make_room() {
  if (size() < limits_.max_flows) return;
  for (const FlowPhase phase : kLeastFirst) {
    const std::uint32_t place = lists_[static_cast<std::size_t>(phase)].first;
    if (place == kNone) continue;
    tell(place, FlowReason::kForced);
    forget(place);
    ++evictions_;
    return;
  }
}

std::uint32_t FlowTable::open(const FlowIdentity& identity, std::uint32_t link, WallTime start) {
  make_room();
  std::uint32_t place;
  if (free_.empty()) {
    place = static_cast<std::uint32_t>(pool_.add());
    generations_.push_back(0);
  } else {
    place = free_.back();
    free_.pop_back();
  }
  Flow& flow = pool_[place];
  flow.key = identity.key;
  flow.set_tunnel(identity.tunnel);
  flow.link = link;
  flow.start = flow.last = start;
  flow.id = id_of(identity, link, start);
  flow.phase = flow.phase_now();
  flow.scan = scan_;
  append(place);
  return place;
}

// A new flow takes the place of one of the same ends, which still waits for parts on their way.
std::uint32_t FlowTable::replace(std::uint32_t place, WallTime start) {
  const FlowIdentity identity = pool_[place].identity();
  const std::uint32_t link = pool_[place].link;
  make_room();
  const bool is_there = index_.find(identity, link) == place;  // else make_room() removed it
  if (is_there) {
    if (const std::uint32_t oldest = pool_[place].older(); oldest != kNone) {
      tell(oldest, FlowReason::kForced);
      forget(oldest);
    }
    index_.erase(place);
    move_to_replaced(place);
  }
  const std::uint32_t fresh = open(identity, link, start);
  pool_[fresh].is_successor = true;
  index_.insert(fresh);
  if (is_there) connect(place, fresh);
  return fresh;
}

void FlowTable::move_to_replaced(std::uint32_t place) {
  unlink(place);
  pool_[place].phase = FlowPhase::kReplaced;
  append(place);
}

void FlowTable::connect(std::uint32_t older, std::uint32_t newer) {
  pool_[older].set_newer(newer);
  pool_[newer].set_older(older);
}

// The same ends have a new flow already, and nothing is left of the one that the part is of.
std::uint32_t FlowTable::open_late(const FlowPart& part) {
  make_room();
  const FlowIdentity identity{part.key, part.tunnel};
  const std::uint32_t link = limits_.links.id_of(part.ifindex);
  const std::uint32_t newer = index_.find(identity, link);
  const std::uint32_t late = open(identity, link, part.created);
  pool_[late].is_continued = true;
  move_to_replaced(late);
  if (newer != kNone) connect(late, newer);
  return late;
}

// The interfaces of a link have rings of their own, so packets of one flow may come out of order. A
// packet older than the last packet of the flow begins no new flow.
std::uint32_t FlowTable::flow_of(const FlowIdentity& identity, const Packet& packet, bool& is_new) {
  const std::uint32_t link = limits_.links.id_of(packet.ifindex);
  const std::uint32_t place = index_.find(identity, link);
  if (place == kNone) {
    is_new = true;
    const std::uint32_t opened = open(identity, link, packet.time);
    index_.insert(opened);
    return opened;
  }
  const Flow& flow = pool_[place];
  if (is_joined(flow)) {
    if (flow.older() != kNone && packet.time <= pool_[flow.older()].last) return flow.older();
    if (packet.time <= flow.last) return place;
  }
  is_new = flow.is_ended || begins_anew(flow, packet);
  return is_new ? replace(place, packet.time) : place;
}

FlowRef FlowTable::track(Packet& packet) {
  FlowIdentity identity;
  packet.sender =
      nids_flow_key_of(&packet.headers, &packet.detail, &identity.key, &identity.tunnel);
  bool is_new = false;
  const std::uint32_t place = flow_of(identity, packet, is_new);
  Flow& flow = pool_[place];
  const bool opener_is_hi = packet.from_opener == (packet.sender == NIDS_FROM_HI);
  if (is_new) flow.opener_is_hi = opener_is_hi;
  const auto classes = classes_of(opener_is_hi, packet.class_id, packet.other_class);
  flow.learn_classes(classes.if_lo, classes.if_hi);
  if (is_joined(flow)) compare_openers(flow, opener_is_hi, packet.time);
  if ((packet.headers.flags & NIDS_PACKET_IS_RELATED) == 0) {
    flow.tcp_flags[packet.sender] |= packet.headers.tcp_flags | packet.headers.icmp_type;
    flow.came_up(packet.sender);
    learn_handshake(flow, packet);
    flow.decide_opener();
  }
  packet.from_opener = packet.sender == flow.opener();
  flow.last = std::max(flow.last, packet.time);
  touch(place);
  return ref_of(place);
}

Flow FlowTable::stranger(const Packet& packet) {
  Flow flow;
  flow.start = packet.time;
  if (packet.headers.ip_version == 0) return flow;
  nids_flow_tunnel tunnel;
  const nids_sender sender = nids_flow_key_of(&packet.headers, &packet.detail, &flow.key, &tunnel);
  flow.set_tunnel(tunnel);
  flow.opener_is_hi = packet.from_opener == (sender == NIDS_FROM_HI);
  return flow;
}

// Each CPU has a slot of its own, and may tell of one long after the flow of now began. What one
// CPU saw of a flow may also be over before another CPU saw the rest of the same.
bool FlowTable::is_of_older(const FlowPart& part, const Flow& flow) {
  const std::uint64_t last_ns = part.last.ns + kCoarse_ns;
  return last_ns < flow.start.ns &&
         (flow.is_successor || part.is_ended || last_ns + NIDS_IDLE_NS < flow.start.ns);
}

// None: the part counts nothing, and its flow has been told.
std::uint32_t FlowTable::flow_of(const FlowPart& part) {
  const bool has_packets = part.packets[0] + part.packets[1] != 0;
  const FlowIdentity identity{part.key, part.tunnel};
  const std::uint32_t link = limits_.links.id_of(part.ifindex);
  std::uint32_t place = index_.find(identity, link);
  if (place == kNone) {
    if (!has_packets) return kNone;
    place = open(identity, link, part.created);
    index_.insert(place);
    return place;
  }
  const Flow& flow = pool_[place];
  if (is_of_older(part, flow)) {
    if (flow.older() != kNone) return flow.older();
    return has_packets ? open_late(part) : kNone;
  }
  const bool is_next = flow.is_ended && part.created.ns + kCoarse_ns > flow.last.ns;
  return is_next ? replace(place, part.created) : place;
}

void FlowTable::add(const FlowPart& part) {
  const std::uint32_t place = flow_of(part);
  if (place == kNone) return;
  Flow& flow = pool_[place];
  const bool is_first = flow.events == 0 && !flow.has_counts();
  const std::uint16_t events_before = flow.events;
  const std::uint8_t senders_before = flow.senders;
  const FlowPhase phase_before = flow.phase;
  for (int i = 0; i < 2; ++i) {
    flow.count(i, part.packets[i], part.bytes[i]);
    flow.tcp_flags[i] |= part.tcp_flags[i];
    if (part.packets[i] != 0) flow.senders = (flow.senders | 1u << i) & 3u;
  }
  flow.events |= part.events;
  // Takes the longest history, because the shared one may lose events that come at the same moment.
  // The interfaces of a link share no history, so a joined flow has its events in the usual order.
  if (part.history > flow.history && !is_joined(flow)) flow.history = part.history;
  // Packets that reached the agent have already set it.
  if (is_first && !flow.has_come_up()) flow.opener_is_hi = part.opener_is_hi;
  if (is_first) flow.is_continued = flow.is_continued || part.is_continued;
  const auto classes = classes_of(part.opener_is_hi, part.class_id, part.other_class);
  flow.learn_classes(classes.if_lo, classes.if_hi);
  if (is_joined(flow)) compare_openers(flow, part.opener_is_hi, part.created);
  flow.decide_opener();
  flow.is_bypassed = flow.is_bypassed || part.is_bypassed;
  flow.start = std::min(flow.start, part.created);
  flow.last = std::max(flow.last, part.last);
  flow.is_ended = flow.is_ended || part.is_ended;
  touch(place);
  const bool is_changed =
      events_before != flow.events || phase_before != flow.phase || senders_before != flow.senders;
  const bool is_start = !flow.is_started;
  flow.is_started = true;
  if (observer_ && (is_start || is_changed))
    observer_(ref_of(place), flow, is_start ? FlowChange::kStart : FlowChange::kUpdate);
}

bool FlowTable::is_over(const Flow& flow, WallTime now) const {
  const auto& timeout = limits_.timeout[static_cast<std::size_t>(flow.phase)];
  const auto silent_ns = now.ns > flow.last.ns ? now.ns - flow.last.ns : 0;
  // Both halves have had the time to be read since.
  const bool is_read = scan_ - flow.scan >= 2;
  return is_read &&
         silent_ns >= static_cast<std::uint64_t>(std::chrono::nanoseconds(timeout).count());
}

void FlowTable::shift(std::int64_t step_ns) {
  const auto shifted = [&](WallTime time) {
    return WallTime{time.ns + static_cast<std::uint64_t>(step_ns)};
  };
  for (const List& list : lists_)
    for (std::uint32_t place = list.first; place != kNone; place = pool_[place].next) {
      Flow& flow = pool_[place];
      flow.start = shifted(flow.start);
      flow.last = shifted(flow.last);
      if (flow.told().ns != 0) flow.set_told(shifted(flow.told()));
    }
  now_ = shifted(now_);
}

// After the wall clock: a flow that stayed in the future would not be silent for as long.
void FlowTable::set_back(WallTime now) {
  for (const List& list : lists_)
    for (std::uint32_t place = list.first; place != kNone; place = pool_[place].next) {
      Flow& flow = pool_[place];
      flow.start = std::min(flow.start, now);
      flow.last = std::min(flow.last, now);
      if (flow.told() > now) flow.set_told(now);
    }
}

bool FlowTable::expire(WallTime now, std::size_t flows) {
  if (!is_expiring_) ++scan_;
  is_expiring_ = true;
  if (now < std::exchange(now_, now)) set_back(now);
  for (const List& list : lists_)
    while (list.first != kNone && is_over(pool_[list.first], now)) {
      if (flows-- == 0) return false;
      const std::uint32_t place = list.first;
      const bool is_replaced = pool_[place].phase == FlowPhase::kReplaced;
      tell(place,
           is_replaced && !pool_[place].is_closed() ? FlowReason::kForced : FlowReason::kTimeout);
      forget(place);
    }
  is_expiring_ = false;
  return true;
}

bool FlowTable::tell_long_ones(WallTime now, std::chrono::nanoseconds interval, std::size_t flows) {
  const auto length = static_cast<std::uint64_t>(interval.count());
  std::size_t places = flows > kAll / kPlacesEach ? kAll : flows * kPlacesEach;
  for (; next_long_one_ < pool_.size(); ++next_long_one_) {
    if (places-- == 0) return false;
    Flow& flow = pool_[next_long_one_];
    if (flow.key.ip_version == 0 || now.ns < std::max(flow.start, flow.told()).ns + length)
      continue;
    if (flows-- == 0) return false;
    if (flow.has_counts()) {
      flow.remember_counts();
      tell(next_long_one_, FlowReason::kInterim);
      flow.is_continued = true;
    }
    flow.set_told(now);
  }
  next_long_one_ = 0;
  return true;
}

// The time for the last records is limited, so the least valuable come last.
void FlowTable::end_all(FlowReason reason) {
  for (auto phase = kLeastFirst.rbegin(); phase != kLeastFirst.rend(); ++phase) {
    const List& list = lists_[static_cast<std::size_t>(*phase)];
    while (list.first != kNone) {
      const std::uint32_t place = list.first;
      tell(place, reason);
      forget(place);
    }
  }
}

FlowRecord FlowTable::live_record_of(const Flow& flow) const {
  return flow.record(FlowReason::kInterim, limits_.community_id_seed, flow.all_counts());
}

FlowRecord FlowTable::record_of(const Flow& flow, FlowReason reason) const {
  return flow.record(reason, limits_.community_id_seed, flow.counts());
}

std::bitset<256> FlowTable::classes() const {
  std::bitset<256> found;
  for (std::uint32_t place = 0; place < end_of_places(); ++place)
    if (const Flow* flow = at(place)) {
      found.set(flow->class_if(NIDS_FROM_LO));
      found.set(flow->class_if(NIDS_FROM_HI));
    }
  return found;
}

void FlowTable::change_classes(std::span<const std::uint8_t, 256> to) {
  for (std::uint32_t place = 0; place < end_of_places(); ++place)
    if (at(place) != nullptr) pool_[place].change_classes(to);
}

}  // namespace nids
