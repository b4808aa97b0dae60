// SPDX-License-Identifier: Apache-2.0
// What is attached in this network namespace, read from the kernel, or from pins where the reader
// is not root.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/paths.hpp"
#include "kernel/attachment.hpp"
#include "nids/result.hpp"
#include "report/report.hpp"

namespace nids {

struct Reading {
  KernelReading kernel;
  std::optional<Attachment> attachment;    // nothing where it came from pins
  bool agent = false;                      // it runs, as far as can be seen
  std::optional<std::uint64_t> agent_pid;  // here; nothing: it is in another PID namespace
};

// All interfaces, or the one named; an error where the one named is not watched.
[[nodiscard]] Result<std::vector<Reading>> read_attached(
    const std::optional<std::string>& interface, const Paths& paths);

// An error about an interface that is not there, with how to look into another network namespace.
Error in_this_netns(Error error, const std::string& command);

StatsReport report_of(const Reading& reading);

}  // namespace nids
