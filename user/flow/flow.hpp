// SPDX-License-Identifier: Apache-2.0
// One flow: what was counted of it and has not been told yet, and what that says of it. Keeps no
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "flow/flow_record.hpp"
#include "flow/handshake.hpp"
#include "net/ends.hpp"
#include "net/flow_identity.hpp"
#include "nids/abi/flow.h"
#include "nids/time.hpp"

namespace nids {

// Lists of flows by how long they may be silent.
enum class FlowPhase : std::uint8_t {
  kTcpNew,
  kTcpEstablished,
  kTcpClosed,
  kUdp,
  kIcmp,
  kOther,
  kReplaced
};
inline constexpr std::size_t kFlowPhases = 7;

// By enum nids_sender.
struct FlowCounts {
  std::uint64_t packets[2]{}, bytes[2]{};
};

// Two cache lines, of which the first is what it takes to find it and to move it in its list.
// Arrays are by enum nids_sender where nothing else is said.
struct alignas(64) Flow {
  nids_flow_key key{};
  std::uint32_t link = 0;  // Links::id_of() of its interfaces
  std::uint32_t scan = 0;  // the last in which it grew
  // By the table: places in its pool, in the list of its phase.
  std::uint32_t previous = 0, next = 0;

  std::uint64_t id = 0;       // below 2^53, the same in every replay
  WallTime start, last;       // of its first packet and its last
  std::uint64_t history = 0;  // as in nids_flow_cell, without the tag
  std::uint16_t events = 0;
  std::uint8_t tcp_flags[2]{};  // of ICMP: types
  std::uint8_t class_id = 0;    // the class if opener() opened it; see class_if()
  FlowPhase phase = FlowPhase::kOther;
  bool opener_is_hi : 1 = false;
  // The openers as which it has been flagged: a bit each, by enum nids_sender.
  std::uint8_t flagged : 2 = 0;
  bool is_alerted : 1 = false;    // and that was written
  bool is_ended : 1 = false;      // the same ends have begun a new one
  bool is_continued : 1 = false;  // an earlier record told the part before
  bool is_bypassed : 1 = false;
  bool is_successor : 1 = false;  // the same ends had a flow before, which it replaced
  std::uint8_t senders : 2 = 0;   // who has sent anything: a bit each, by enum nids_sender
  std::uint8_t severity : 2 = 0;  // the highest of its alerts, 1 to 3, news or not; 0: no alert
  std::uint8_t kept_as : 2 = 0;   // by retain: the severity whose policy it has; 0: its class's
  bool is_refused : 1 = false;    // by retain: CapturePolicy::is_refused()
  bool is_started : 1 = false;    // by the table: observers know of it

  // On the wire, not told in a record yet.
  FlowCounts counts() const;
  bool has_counts() const;
  void count(int sender, std::uint64_t packets, std::uint64_t bytes);
  void clear_counts();
  // Before a record of them is told while the flow goes on.
  void remember_counts();
  // With what was told while it went on.
  FlowCounts all_counts() const;

  WallTime told() const;  // of its last record; 0: none
  void set_told(WallTime time);

  // Wire bytes of what `sender` sent that reached the agent.
  std::uint64_t came_up_bytes(nids_sender sender) const;
  // Returns what it was before.
  std::uint64_t count_came_up(nids_sender sender, std::uint64_t bytes);

  // The side that opened it, as far as is known.
  nids_sender opener() const { return opener_is_hi ? NIDS_FROM_HI : NIDS_FROM_LO; }
  // Its class if `sender` opened it; 0: none.
  std::uint8_t class_if(nids_sender sender) const;
  // Takes the classes of the first pass where none is known yet.
  void learn_classes(std::uint8_t if_lo_opened, std::uint8_t if_hi_opened);
  // Replaces each class index by the element of `to` at that index.
  void change_classes(std::span<const std::uint8_t, 256> to);
  bool is_flagged(nids_sender as_opened_by) const { return (flagged >> as_opened_by & 1) != 0; }
  // For records: the class of the opener, or the class that was flagged of the other direction.
  std::uint8_t record_class() const;

  // Notes that a packet of `sender` reached the agent. Not for ICMP errors about the flow.
  void came_up(nids_sender sender);
  // Notes the flags of a TCP packet, and its numbers where they were captured.
  void learn_handshake(nids_sender sender, std::uint8_t flags,
                       const std::optional<Handshake::Numbers>& numbers);
  // Corrects opener(). Called after each of the calls above.
  void decide_opener();
  // Replaces opener() by a better guess.
  void set_opener(nids_sender sender);
  // Returns whether `sender` is the opener by the classes, or by the ports if the classes do not
  // decide.
  bool has_port_of_client(nids_sender sender) const;
  // Whether `sender` may have opened it. False if a handshake proves the other side, or if nothing
  // names `sender` yet.
  bool may_be_opener(nids_sender sender) const;
  // Whether a handshake proves `opener`, and none proves the other side.
  bool is_proved(nids_sender opener) const;
  bool has_come_up() const { return rare_ && rare_->came_up != 0; }
  // Whether the flow was flagged, and either side may be the opener.
  bool has_unknown_direction() const;

  nids_flow_tunnel tunnel() const;
  void set_tunnel(const nids_flow_tunnel& tunnel);
  FlowIdentity identity() const { return {key, tunnel()}; }
  bool is_of(const FlowIdentity& flow) const;

  // By the table: the flow of the same ends before, and after; places in its pool.
  std::uint32_t older() const { return rare_ ? rare_->older : 0; }
  std::uint32_t newer() const { return rare_ ? rare_->newer : 0; }
  void set_older(std::uint32_t place);
  void set_newer(std::uint32_t place);

  Ends ends() const { return ends(opener()); }
  Ends ends(nids_sender opened_by) const;
  TunnelEnds tunnel_ends(nids_sender opened_by) const;
  bool has_sent(int sender) const { return (senders >> sender & 1) != 0; }
  bool is_closed() const;  // TCP: a RST, or both ends' FIN; other protocols never
  std::optional<IcmpTypes> icmp() const;
  std::string community_id(std::uint16_t seed) const;
  FlowPhase phase_now() const;  // by what was seen of it
  // Of these counts.
  FlowRecord record(FlowReason reason, std::uint16_t community_id_seed,
                    const FlowCounts& counts) const;

 private:
  // Those that go on for long, or are large.
  struct Long {
    WallTime told;
    FlowCounts told_counts;
    FlowCounts high;  // of what has not been told, the multiples of 2^32
  };
  // For flows of which packets reached the agent, flows that replace or are replaced, tunnelled
  // flows and long flows.
  struct Rare {
    std::uint64_t came_up_bytes[2]{};  // by enum nids_sender
    std::uint32_t older = 0, newer = 0;
    Handshake handshake;
    std::uint8_t other_class = 0;  // the class if the other side opened it
    std::uint8_t came_up = 0;      // the sides of which packets reached the agent: a bit each
    std::unique_ptr<nids_flow_tunnel> tunnel;
    std::unique_ptr<Long> longer;
  };
  Handshake handshake() const { return rare_ ? rare_->handshake : Handshake{}; }
  std::uint8_t other_class() const { return rare_ ? rare_->other_class : std::uint8_t{0}; }
  unsigned known_senders() const;  // a bit each, by enum nids_sender
  const Long* find_long() const { return rare_ ? rare_->longer.get() : nullptr; }
  Rare& make_rare();
  Long& make_long();

  std::uint32_t packets_[2]{}, bytes_[2]{};  // of what has not been told, the low 32 bits
  std::unique_ptr<Rare> rare_;
};
static_assert(sizeof(Flow) == 128);

}  // namespace nids
