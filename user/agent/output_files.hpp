// SPDX-License-Identifier: Apache-2.0
// Opens the agent's output files and directories while the process still may. Writes nothing.
#pragma once

#include <string>

#include "agent/privileges.hpp"
#include "config/config.hpp"
#include "kernel/handle.hpp"
#include "nids/result.hpp"
#include "retain/store.hpp"

namespace nids {

// What to do where a pipe or terminal takes no more for now: wait, or lose and count the line.
enum class WhenFull { kWait, kLose };
[[nodiscard]] Result<Fd> open_standard_output(WhenFull when_full);

// "-" is standard output, which is waited for. Missing directories are made for the default path
// only. A symbolic link is refused.
[[nodiscard]] Result<Fd> open_eve(const std::string& path, bool make_directories);

// A directory that `user` can write and others can't: made where it is missing; handed to `user`
// where it is root's and holds nothing but segments and their index. Locked as long as the fd is
// open: one process at a time keeps packets there.
[[nodiscard]] Result<Fd> open_packet_directory(const std::string& name, const AgentUser& user);

// The first of `path`, `path`-2, `path`-3 and so on in which no other process keeps packets; `path`
// then says which.
[[nodiscard]] Result<Fd> open_free_packet_directory(std::string& path, const AgentUser& user);

// The store's limits as the configuration has them.
Store::Limits store_limits(const Config& config, Store::WhenBehind when_behind);

}  // namespace nids
