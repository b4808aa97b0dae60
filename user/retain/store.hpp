// SPDX-License-Identifier: Apache-2.0
// Keeps packets in pcapng segments of one directory, within a budget of bytes and above a floor of
// free disk. Decides what of a packet is written, and counts what it can't keep. A thread of the
// store creates and writes the files; keep() waits for this thread only with WhenBehind::kWait.
// keep() itself asks the file system for the free space. Workers may call keep() and note() at the
// same time; one other thread makes all other calls. Throws only if there is no memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decode/packet.hpp"
#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/index.hpp"
#include "retain/kept.hpp"
#include "retain/limits.hpp"
#include "retain/pcapng.hpp"
#include "retain/rebuild.hpp"

namespace nids {

class Store {
 public:
  using WhenBehind = nids::WhenBehind;
  using Limits = StoreLimits;

  // Takes a directory fd that its caller opened (O_DIRECTORY), so that it works after privileges
  // are dropped; it is duplicated and stays the caller's. Segments of earlier runs found there
  // count towards the budget. `path` is only for names given to people. The interfaces become
  // interface blocks of each segment, found by ifindex; a packet of any other is not kept (error).
  // Errors: the directory can't be listed.
  [[nodiscard]] static Result<Store> open(int directory_fd, std::string path,
                                          std::map<std::uint32_t, pcapng::Interface> interfaces,
                                          Limits limits);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) = delete;
  ~Store();  // finishes

  // Before the first packet, by the directory's owner: brings segments and index together
  // (retain/rebuild.hpp). Alerts are numbered on from those in the index. Without it, or where it
  // fails or is ended, packets are kept and nothing says where they lie. Starts no thread.
  Result<Repaired> start(const GoesOn& goes_on = {});

  // Sets the number of workers that store packets; the default is one. Call it before the first
  // packet. Each worker fills segments of its own; all workers share the budget.
  void serve(std::size_t workers);

  struct Facts {
    std::size_t worker = 0;           // the worker that stores the packet
    std::uint8_t severity = 0;        // of its flow's alerts, 1 high to 3 low; 0: none
    std::uint64_t flow_id = 0;        // 0: it is of no flow
    bool is_related = false;          // its own headers do not lead to its flow
    std::vector<KeptAlert> alerts{};  // that it raised; the store numbers them
    // The flow by name, asked for where it is new here; may be empty for a packet of no flow.
    std::function<KeptFlow()> flow{};
  };
  // Keeps one packet. Empty where it was not kept; the counter that says why (retained,
  // not_kept_by_policy, not_kept_by_error, not_kept_by_overload) was raised either way, and its
  // alerts were noted. Bytes counted are captured ones; of a segment of an earlier run that the
  // index does not know, deleted_by_policy has the file's bytes and no packets. `counters` outlive
  // the store.
  std::optional<PacketPlace> keep(const Packet& packet, Facts facts, nids_agent_counters& counters);
  // Alerts whose packet is not to be kept. Those that the index will not know, these and others,
  // count as alerts_not_indexed.
  void note(std::vector<KeptAlert> alerts, nids_agent_counters& counters);

  std::string file_of(const PacketPlace& place) const;  // with its path
  const std::string& directory() const;
  int directory_fd() const;

  // Gives the writer all there is, and counts what it has done since: packets that the disk refused
  // move from `retained` to `not_kept_by_error`, each in the counters of its own interface. What
  // the store holds is told in `counters`. Call it once a second.
  void flush(nids_agent_counters& counters);
  // The same, and waits until the writer is done with it.
  void settle(nids_agent_counters& counters);
  // The same when all is over: segments are completed first.
  void finish(nids_agent_counters& counters);

  bool degraded() const;                     // the last write failed, or did not last for good
  bool index_is_lost() const;                // it could not be opened, or not written the last time
  std::vector<std::string> take_warnings();  // what failed, each once; for people

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nids
