// SPDX-License-Identifier: Apache-2.0
// Listening Unix sockets for readers without root. Accepts nobody.
#pragma once

#include <string>

#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

// Returns a bound and listening socket with mode 0660 for `group`, or 0600 if `group` is negative.
// Removes a file that is there.
[[nodiscard]] Result<Fd> listen_at(const std::string& path, int group);

// Returns whether a process listens at the path.
bool has_listener(const std::string& path);

}  // namespace nids
