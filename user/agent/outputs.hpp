// SPDX-License-Identifier: Apache-2.0
// Opens the agent's output files and directories while the process still may. Writes nothing.
#pragma once

#include <string>

#include "agent/privileges.hpp"
#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

// "-" is standard output. Missing directories are made for the default path only.
[[nodiscard]] Result<Fd> open_eve(const std::string& path, bool make_directories);

// A directory that `user` can write and others can't: made where it is missing; handed to `user`
// where it is root's and holds nothing but segments.
[[nodiscard]] Result<Fd> open_packet_directory(const std::string& path, const AgentUser& user);

}  // namespace nids
