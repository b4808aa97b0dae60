// SPDX-License-Identifier: Apache-2.0
// The client's side of the Unix sockets of agents and their parents.
#pragma once

#include <chrono>
#include <string>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

// An error names `action`. Later calls to send and receive wait no longer than `at_most`, because
// the other process may be stopped.
[[nodiscard]] Result<Fd> connect_to(const std::string& path, const std::string& action,
                                    std::chrono::seconds at_most);

}  // namespace nids
