// SPDX-License-Identifier: Apache-2.0
// Limits what the process may ask of the kernel from now on: a seccomp allow-list of system calls,
// and Landlock for files. For whoever reads packets, captures or segments, which an attacker may
// have written. Nothing here can be taken back; threads and children inherit it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "nids/result.hpp"

namespace nids {

struct ConfinementRequest {
  // Directories, by descriptor, in which files may still be opened, made, renamed and removed.
  // Descriptors that are open already stay usable.
  std::span<const int> directories{};
  // bpf(2), for running programs and reading maps that are open: `replay --kernel`.
  bool may_run_programs = false;
};

// For the calling thread and those that it starts, so call it while there is only one. Returns
// NIDS_CONFINED_*; a kernel without Landlock is no error, NIDS_CONFINED_FILES is missing then. A
// build with AddressSanitizer confines nothing. On an error the process is not confined, and should
// not go on.
[[nodiscard]] Result<std::uint64_t> confine(const ConfinementRequest& request);

// The same for a command that reads hostile files, where it is not asked what holds.
[[nodiscard]] Result<void> confine_command(const ConfinementRequest& request);
using Confine = std::function<Result<void>(const ConfinementRequest&)>;

// The system calls that remain, in alphabetical order; docs/threat-model.md lists them.
std::span<const std::string_view> allowed_system_calls();

}  // namespace nids
