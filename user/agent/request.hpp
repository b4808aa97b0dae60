// SPDX-License-Identifier: Apache-2.0
// The options of `attach` and the callbacks by which it reports. No logic.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/paths.hpp"
#include "alert/alert.hpp"
#include "config/config.hpp"
#include "kernel/attachment.hpp"
#include "worker/selection.hpp"

namespace nids {

// The configuration file as it is now, with the options of `attach`, or the reason why
// it can't be used.
struct ConfigReading {
  std::optional<Config> config{};
  std::string problems{};
};

struct AttachRequest {
  std::vector<std::string> interfaces;  // none: that of the default route
  // The prefix that runs a command in their network namespace, "ip netns exec NAME"; empty if that
  // is the user's.
  std::string enter{};
  ModeChoice mode = ModeChoice::kAuto;
  bool egress = true;
  bool keep_attached = false;
  std::optional<std::chrono::milliseconds> duration;
  Selection selection;
  Config config;
  Paths paths;
  std::function<ConfigReading()> read_config{};  // for a reload
};

// None of them waits for a reader.
struct Callbacks {
  std::function<void(const std::string&)> info, warning, error;
  // In the agent's process, whose standard output and error are pipes to the parent.
  std::function<void()> in_agent;             // first of all
  std::function<void()> confined;             // once it is confined; for tests
  std::function<void(const Alert&)> alert;    // null: alerts are not printed
  std::function<std::uint64_t()> lines_lost;  // of alerts and messages, so far
  // In the parent: a line that the agent printed, and whether there is room for more.
  std::function<void(std::string_view line)> out, err;
  std::function<bool()> has_room;
  // Attached, agent running; whether the outputs that are wanted could be opened.
  std::function<void(bool eve, const std::string& packets)> started;
};

}  // namespace nids
