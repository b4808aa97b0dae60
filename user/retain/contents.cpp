// SPDX-License-Identifier: Apache-2.0
#include "retain/contents.hpp"

#include <algorithm>
#include <utility>

#include "retain/index_queue.hpp"

namespace nids {

bool Contents::add(const Entry& packet, std::uint64_t flow_id,
                   const std::function<KeptFlow()>& flow) {
  const auto [known, is_new] =
      by_id_.try_emplace(flow_id, static_cast<std::uint32_t>(flows_.size()));
  if (is_new) {
    flows_.push_back(flow ? flow() : KeptFlow{});
    flows_.back().id = flow_id;
  }
  packets_.push_back({.offset = packet.offset,
                      .time = packet.time,
                      .captured_bytes = packet.captured_bytes,
                      .flow = known->second});
  return is_new;
}

void Contents::add(IndexedAlert alert) {
  alerts_weight_ += weight_of(alert);
  alerts_.push_back(std::move(alert));
}

std::size_t Contents::weight() const {
  return sizeof(*this) + flows_.size() * sizeof(FlowSpan) + packets_.capacity() * sizeof(Packet) +
         alerts_weight_;
}

SegmentPiece Contents::piece(const SegmentName& segment, std::uint64_t end) && {
  SegmentPiece piece{.segment = segment, .end = end, .spans = {}, .alerts = std::move(alerts_)};
  const auto is_there = [&](const Packet& packet) { return packet.offset < end; };
  const auto behind = std::ranges::partition_point(packets_, is_there);
  packets_.erase(behind, packets_.end());

  std::vector<std::size_t> counts(flows_.size());
  for (const Packet& packet : packets_) ++counts[packet.flow];
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    piece.spans.push_back({.segment = segment,
                           .flow = std::move(flows_[i]),
                           .first = WallTime{~0ull},
                           .last = {},
                           .bytes = 0,
                           .offsets = {}});
    piece.spans.back().offsets.reserve(counts[i]);
  }
  for (const Packet& packet : packets_) {
    FlowSpan& span = piece.spans[packet.flow];
    span.first = std::min(span.first, packet.time);
    span.last = std::max(span.last, packet.time);
    span.bytes += packet.captured_bytes;
    span.offsets.push_back(packet.offset);
  }
  std::erase_if(piece.spans, [](const FlowSpan& span) { return span.offsets.empty(); });
  for (IndexedAlert& alert : piece.alerts)
    if (alert.place && alert.place->offset >= end) alert.place.reset();
  return piece;
}

}  // namespace nids
