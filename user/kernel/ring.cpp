// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring.hpp"

#include <bpf/libbpf.h>

#include <cerrno>

namespace nids {
namespace {

int take_record(void* context, void* data, std::size_t bytes) noexcept {
  (*static_cast<RingReader::Sink*>(context))({static_cast<const std::byte*>(data), bytes});
  return 0;
}

}  // namespace

void RingReader::FreeRing::operator()(ring_buffer* ring) const noexcept { ring_buffer__free(ring); }

RingReader::RingReader() = default;
RingReader::RingReader(RingReader&&) noexcept = default;
RingReader::~RingReader() = default;

Result<void> RingReader::add(int map_fd, Sink sink) {
  sinks_.push_back(std::make_unique<Sink>(std::move(sink)));
  void* context = sinks_.back().get();
  if (!ring_) {
    ring_.reset(ring_buffer__new(map_fd, take_record, context, nullptr));
    if (ring_) return {};
  } else if (ring_buffer__add(ring_.get(), map_fd, take_record, context) == 0) {
    return {};
  }
  return Error{.action = "open the ring buffer", .error_number = errno};
}

int RingReader::fd() const { return ring_buffer__epoll_fd(ring_.get()); }

Result<std::size_t> RingReader::consume() {
  const int records = ring_buffer__consume(ring_.get());
  if (records < 0) return Error{.action = "read the ring buffer", .error_number = -records};
  return static_cast<std::size_t>(records);
}

}  // namespace nids
