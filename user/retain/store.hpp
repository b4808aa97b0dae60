// SPDX-License-Identifier: Apache-2.0
// Keeps packets in pcapng segments of one directory, within a budget of bytes and above a floor of
// free disk. Never blocks on anything but the disk, never throws, and counts what it can't keep.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alert/evidence.hpp"
#include "analyse/alert.hpp"
#include "decode/packet.hpp"
#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/pcapng.hpp"

namespace nids {

class Store {
 public:
  struct Limits {
    std::uint64_t budget_bytes = 1ull << 30;  // of all segments together
    std::uint64_t segment_bytes = 64ull
                                  << 20;  // a segment is closed when the next packet would pass it
    double min_free_share = 0.10;         // of the disk, for users without privileges
  };

  // Takes a directory fd that its caller opened (O_DIRECTORY), so that it works after privileges
  // are dropped; it is duplicated and stays the caller's. Segments of earlier runs found there
  // count towards the budget. `path` is only for names given in Evidence. The interfaces become
  // interface blocks of each segment, found by ifindex; a packet of any other is not kept (error).
  // Errors: the directory can't be listed.
  [[nodiscard]] static Result<Store> open(int directory_fd, std::string path,
                                          std::map<std::uint32_t, pcapng::Interface> interfaces,
                                          Limits limits);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();  // flushes

  // Keeps one packet with the comments given. Empty where it was not kept; the counter that says
  // why (retained, not_kept_by_policy, not_kept_by_error) was raised either way. Bytes counted are
  // captured ones; deleted_by_policy knows only the file's bytes, and no packets, of a segment of
  // an earlier run.
  std::optional<Evidence> keep(const Packet& packet, std::vector<std::string> comments,
                               nids_agent_counters& counters);

  // Writes what is buffered. Packets that the disk refused move from `retained` to
  // `not_kept_by_error`, so the counters always tell what is on the disk.
  void flush(nids_agent_counters& counters);

  bool degraded() const;  // the last write failed

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nids
