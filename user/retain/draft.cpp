// SPDX-License-Identifier: Apache-2.0
#include "retain/draft.hpp"

#include <algorithm>
#include <utility>

#include "nids/sum.hpp"

namespace nids {

Draft::Draft(SegmentName name, std::shared_ptr<SegmentFile> file, WallTime begun,
             std::span<const std::byte> header, Buffers& buffers)
    : name_(std::move(name)), file_(std::move(file)), begun_(begun), buffers_(buffers) {
  append(header);
}

bool Draft::takes(std::size_t block_bytes) const {
  return chunk_.shares.empty() || chunk_.bytes.size() + block_bytes <= kChunkBytes;
}

void Draft::append(std::span<const std::byte> block) {
  if (chunk_.bytes.capacity() == 0) chunk_.bytes = buffers_.take(kChunkBytes);
  chunk_.bytes.insert(chunk_.bytes.end(), block.begin(), block.end());
  size_ += block.size();
}

void Draft::count(const Entry& entry) {
  const auto own = std::ranges::find(chunk_.shares, entry.counters, &Share::counters);
  Share& share = own != chunk_.shares.end() ? *own : chunk_.shares.emplace_back();
  share.counters = entry.counters;
  const nids_sum one = one_packet(entry.captured_bytes);
  share.begin_waiting(one);
  if (of_interface_.size() <= entry.interface) of_interface_.resize(entry.interface + 1);
  OfInterface& interface = of_interface_[entry.interface];
  if (interface.kept++ == 0) {
    interface.counters = entry.counters;
    interface.lost_before = entry.counters->not_kept_by_overload.packets;
  }
  share.kept += one;
  kept_ += one;
}

PacketPlace Draft::add(const Entry& entry, const KeptFlow& flow, std::vector<KeptAlert> alerts) {
  const std::uint64_t offset = size_;
  append(entry.block);
  count(entry);
  const auto [place, is_new] = spans_.try_emplace(flow.id, piece_.spans.size());
  if (is_new) {
    flows_.insert(flow.id);
    piece_.spans.push_back({.segment = name_,
                            .flow = flow,
                            .first = entry.time,
                            .last = entry.time,
                            .bytes = 0,
                            .offsets = {}});
  }
  FlowSpan& span = piece_.spans[place->second];
  if (!is_new && span.offsets.back() < chunk_begin_)
    piece_.before.push_back(
        {place->second, span.offsets.size(), span.first, span.last, span.bytes});
  span.first = std::min(span.first, entry.time);
  span.last = std::max(span.last, entry.time);
  span.bytes += entry.captured_bytes;
  span.offsets.push_back(offset);
  ++places_;
  const PacketPlace at{name_, offset, kept_.packets};
  for (KeptAlert& alert : alerts) piece_.alerts.push_back({std::move(alert), at});
  return at;
}

std::vector<pcapng::Statistics> Draft::statistics(std::size_t interfaces, WallTime now) const {
  std::vector<pcapng::Statistics> all(interfaces);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].interface = static_cast<std::uint32_t>(i);
    all[i].start = begun_;
    all[i].end = std::max(begun_, now);
    if (i >= of_interface_.size() || !of_interface_[i].counters) continue;
    const OfInterface& one = of_interface_[i];
    all[i].kept = one.kept;
    all[i].dropped = one.counters->not_kept_by_overload.packets - one.lost_before;
  }
  return all;
}

Chunk Draft::take() {
  chunk_.file = file_;
  chunk_.segment = name_;
  chunk_begin_ = size_;
  return std::exchange(chunk_, Chunk{});
}

Chunk Draft::take_with_piece() {
  Chunk chunk = take();
  piece_.segment = name_;
  piece_.end = size_;
  chunk.piece = std::exchange(piece_, SegmentPiece{});
  spans_.clear();
  places_ = 0;
  return chunk;
}

}  // namespace nids
