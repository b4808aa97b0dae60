// SPDX-License-Identifier: Apache-2.0
// Counts the records in a ring buffer without consuming them. Maps the ring read-only. Trusts no
// value in it, because the agent can write the consumer's position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernel/handle.hpp"
#include "nids/abi/counters.h"
#include "nids/result.hpp"

namespace nids {

class RingContent {
 public:
  // In bytes since the ring was made. They move as records are taken and written.
  struct Positions {
    std::uint64_t consumer = 0, producer = 0;
    bool operator==(const Positions&) const = default;
  };

  [[nodiscard]] static Result<RingContent> of(int ring_fd);

  Positions positions() const;
  // Records between the positions, without discarded ones, and the bytes of them. Nothing where one
  // is still being written, or a position or a length can't be.
  std::optional<nids_sum> between(const Positions& positions) const;

 private:
  RingContent(MappedPages consumer, MappedPages producer, std::uint64_t data_bytes)
      : consumer_(std::move(consumer)), producer_(std::move(producer)), data_bytes_(data_bytes) {}

  MappedPages consumer_, producer_;  // of the second the first page is the position
  std::uint64_t data_bytes_;         // a power of two; the data is mapped twice in a row
};

}  // namespace nids
