// SPDX-License-Identifier: Apache-2.0
// Finds and enters other network namespaces, as far as this process may. Never moves the calling
// thread, and changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "nids/fd.hpp"

namespace nids {

struct NetNamespace {
  Fd fd;
  std::string enter;  // the prefix that runs a command there: "nsenter -t PID -n"
};

// The namespace that this one calls `id`, found by a name or by a process in it. Nothing if there
// is neither, or if this process may not see them.
std::optional<NetNamespace> find_netns(int id);

// Calls `look` in that namespace, in a new thread. Returns whether it was called.
bool look_into(const NetNamespace& there, const std::function<void()>& look);

}  // namespace nids
