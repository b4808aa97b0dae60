// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring_content.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

namespace nids {
namespace {

constexpr std::uint64_t kHeaderBytes = BPF_RINGBUF_HDR_SZ;

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

template <class T>
T load(const std::byte* from) {
  return __atomic_load_n(reinterpret_cast<const T*>(from), __ATOMIC_ACQUIRE);
}

}  // namespace

Result<RingContent> RingContent::of(int ring_fd) {
  const std::string action = "map a ring buffer";
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(ring_fd, &info, &size) != 0)
    return Error{.action = action, .error_number = errno};
  if (info.type != BPF_MAP_TYPE_RINGBUF || !std::has_single_bit(info.max_entries))
    return Error{.action = action, .error_number = EINVAL};
  const std::size_t page = page_bytes();
  MappedPages consumer(ring_fd, 0, page);
  MappedPages producer(ring_fd, page, page + 2 * std::size_t{info.max_entries});
  if (!consumer || !producer) return Error{.action = action, .error_number = errno};
  return RingContent(std::move(consumer), std::move(producer), info.max_entries);
}

RingContent::Positions RingContent::positions() const {
  return {load<std::uint64_t>(consumer_.get()), load<std::uint64_t>(producer_.get())};
}

std::optional<nids_sum> RingContent::between(const Positions& positions) const {
  if (positions.producer - positions.consumer > data_bytes_) return std::nullopt;
  const std::byte* data = producer_.get() + page_bytes();
  nids_sum sum{};
  for (std::uint64_t at = positions.consumer; at != positions.producer;) {
    const std::uint64_t left = positions.producer - at;
    if (at % kHeaderBytes != 0 || left < kHeaderBytes) return std::nullopt;
    const auto head = load<std::uint32_t>(data + (at & (data_bytes_ - 1)));
    const std::uint64_t bytes = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    const std::uint64_t room = (kHeaderBytes + bytes + kHeaderBytes - 1) & -kHeaderBytes;
    if ((head & BPF_RINGBUF_BUSY_BIT) != 0 || room > left) return std::nullopt;
    if ((head & BPF_RINGBUF_DISCARD_BIT) == 0) {
      sum.packets += 1;
      sum.bytes += bytes;
    }
    at += room;
  }
  return sum;
}

}  // namespace nids
