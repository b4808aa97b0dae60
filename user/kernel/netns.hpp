// SPDX-License-Identifier: Apache-2.0
// Other network namespaces, as far as this process may look into them. Never moves the calling
// thread, and changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "nids/fd.hpp"

namespace nids {

struct NetNamespace {
  Fd fd;
  std::string enter;  // what runs a command there: "ip netns exec NAME", "nsenter -t PID -n"
};

// The one that this namespace calls `id`, found by its name or by a process in it. Nothing where
// there is neither, or where this process may not see them.
std::optional<NetNamespace> find_netns(int id);

// Calls `look` in that namespace, by a thread of its own. Returns whether it was called.
bool look_into(const NetNamespace& there, const std::function<void()>& look);

}  // namespace nids
