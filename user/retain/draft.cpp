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

void Draft::begin_chunk() {
  if (chunk_.bytes.capacity() == 0) chunk_.bytes = buffers_.take(kChunkBytes);
}

void Draft::append(std::span<const std::byte> block) {
  begin_chunk();
  chunk_.bytes.insert(chunk_.bytes.end(), block.begin(), block.end());
  size_ += block.size();
}

void Draft::count(const pcapng::EnhancedPacket& packet, nids_agent_counters& counters) {
  const auto own = std::ranges::find(chunk_.shares, &counters, &Share::counters);
  Share& share =
      own != chunk_.shares.end() ? *own : chunk_.shares.emplace_back(Share{&counters, {}});
  if (of_interface_.size() <= packet.interface) of_interface_.resize(packet.interface + 1);
  OfInterface& interface = of_interface_[packet.interface];
  if (interface.kept++ == 0) {
    interface.counters = &counters;
    interface.lost_before = counters.not_kept_by_overload.packets;
  }
  const nids_sum one = one_packet(packet.data.size());
  share.kept += one;
  kept_ += one;
}

PacketPlace Draft::add(const pcapng::EnhancedPacket& packet, nids_agent_counters& counters,
                       std::uint64_t flow_id, const std::function<KeptFlow()>& flow,
                       std::vector<KeptAlert> alerts) {
  begin_chunk();
  const std::uint64_t offset = size_;
  const std::size_t before = chunk_.bytes.size();
  pcapng::append_packet(chunk_.bytes, packet);
  size_ += chunk_.bytes.size() - before;
  count(packet, counters);
  const bool is_new =
      contents_.add({.offset = offset,
                     .time = packet.time,
                     .captured_bytes = static_cast<std::uint32_t>(packet.data.size())},
                    flow_id, flow);
  if (is_new) flows_.insert(flow_id);
  PacketPlace at{name_, offset, kept_.packets};
  for (KeptAlert& alert : alerts) contents_.add(IndexedAlert{std::move(alert), at});
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
  return std::exchange(chunk_, Chunk{});
}

Chunk Draft::take_with_contents() {
  Chunk chunk = take();
  chunk.contents = std::exchange(contents_, Contents{});
  return chunk;
}

}  // namespace nids
