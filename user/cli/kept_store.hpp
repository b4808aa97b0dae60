// SPDX-License-Identifier: Apache-2.0
// The directory of kept packets that a command asks, opened for reading. Changes nothing in it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "kernel/handle.hpp"
#include "nids/abi/counters.h"
#include "retain/index.hpp"

namespace nids {

// What `--retain` says, else what the configuration does, that of `--config` or the one in force,
// else where an agent would keep packets. Says what is wrong with the configuration, and returns
// nothing then.
std::optional<std::string> kept_directory(const std::optional<std::string>& retain,
                                          const std::optional<std::string>& config, Io&);

struct KeptStore {
  std::string directory;
  Fd fd;
  Index index;
  std::uint64_t index_inode = 0;
};
// Becomes the directory's owner where this is root: what stands there is only as good as the agent
// that wrote it. Says why there is none, and what to do, and returns nothing then.
std::optional<KeptStore> open_kept_store(const std::optional<std::string>& retain,
                                         const std::optional<std::string>& config, Io&);

// Before anything in it is read: from now on the process opens files of this directory only.
[[nodiscard]] Result<void> confine_to(int directory_fd, const Io& io);

// Opens the index that was made anew since, if there is one.
Result<void> follow_index(KeptStore& store);

// Packets and their bytes of a flow. `on_span` may be empty.
Result<nids_sum> kept_of_flow(const Index& index, const KeptFlow& flow,
                              const std::function<void(const FlowSpan&)>& on_span = {});

Result<std::optional<IndexedAlert>> alert_by_id(const Index& index, std::uint64_t id);
Error no_such_alert(std::uint64_t id);

// The moments of --since and --until; an error is a usage error.
struct Period {
  std::optional<WallTime> since, until;
  bool holds(WallTime time) const {
    return (!since || *since <= time) && (!until || time <= *until);
  }
};
Result<Period> period_of(const std::optional<std::string>& since,
                         const std::optional<std::string>& until);

// A list of names, "ssh,telnet"; empty ones are left out.
std::vector<std::string> names_of(const std::optional<std::string>& list);

// `| head` has seen enough, or a file may get no longer: the next write fails, and no signal ends
// us.
void fail_to_write_without_a_signal();

}  // namespace nids
