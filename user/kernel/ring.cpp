// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring.hpp"

#include <bpf/libbpf.h>
#include <sys/epoll.h>

#include <cerrno>

namespace nids {

void RingReader::FreeRing::operator()(ring_buffer* ring) const noexcept { ring_buffer__free(ring); }

RingReader::RingReader() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
RingReader::RingReader(RingReader&&) noexcept = default;
RingReader::~RingReader() = default;

// What the next record begins with is fetched ahead, in bytes: it lies in another CPU's cache, and
// the processor foresees only what is read in order for longer. A tenth of what it costs to keep a
// packet (docs/adr/0012-a-packet-is-read-where-it-lies.md).
constexpr std::size_t kAhead = 640, kCacheLine = 64;

// A negative return ends the reading of a ring behind the record that was taken.
int RingReader::take(void* context, void* data, std::size_t bytes) noexcept {
  auto& reader = *static_cast<Reader*>(context);
  const auto* next = static_cast<const std::byte*>(data) + bytes;
  for (std::size_t i = 0; i < kAhead; i += kCacheLine) __builtin_prefetch(next + i);
  reader.sink({static_cast<const std::byte*>(data), bytes});
  return --reader.left == 0 ? -EAGAIN : 0;
}

Result<void> RingReader::add(int map_fd, Sink sink) {
  auto reader = std::make_unique<Reader>();
  reader->sink = std::move(sink);
  reader->ring.reset(ring_buffer__new(map_fd, take, reader.get(), nullptr));
  epoll_event event{.events = EPOLLIN, .data = {.fd = map_fd}};
  if (!reader->ring || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, map_fd, &event) != 0)
    return Error{.action = "open the ring buffer", .error_number = errno};
  readers_.push_back(std::move(reader));
  return {};
}

Result<bool> RingReader::consume() {
  bool has_more = false;
  for (const auto& reader : readers_) {
    reader->left = kBudget;
    const int records = ring_buffer__consume(reader->ring.get());
    if (records == -EAGAIN)
      has_more = true;
    else if (records < 0)
      return Error{.action = "read the ring buffer", .error_number = -records};
  }
  return has_more;
}

}  // namespace nids
