// SPDX-License-Identifier: Apache-2.0
// Confines the process by a seccomp allow-list of system calls and by Landlock for files. Used
// before packets, captures or segments are read, which an attacker may have written. Cannot be
// undone. Threads and children inherit it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "nids/result.hpp"

namespace nids {

struct ConfinementRequest {
  // Descriptors of directories in which files may still be opened, created, renamed and removed.
  // Open descriptors stay usable.
  std::span<const int> directories{};
  // bpf(2), for running programs and reading maps that are open: `replay --kernel`.
  bool may_run_programs = false;
};

// Applies to the calling thread and the threads that it starts, so call it before others exist.
// Returns NIDS_CONFINED_*. Without Landlock in the kernel NIDS_CONFINED_FILES is missing. A build
// with AddressSanitizer returns 0. After an error the process is not confined and should exit.
[[nodiscard]] Result<std::uint64_t> confine(const ConfinementRequest& request);

// The same for commands, which do not report the result.
[[nodiscard]] Result<void> confine_command(const ConfinementRequest& request);
using Confine = std::function<Result<void>(const ConfinementRequest&)>;

// The system calls that remain, in alphabetical order; docs/threat-model.md lists them.
std::span<const std::string_view> allowed_system_calls();

}  // namespace nids
