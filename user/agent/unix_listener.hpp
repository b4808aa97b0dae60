// SPDX-License-Identifier: Apache-2.0
// Listening Unix sockets for readers without root. Accepts nobody.
#pragma once

#include <string>

#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

// Bound and listening, mode 0660, of `group` where there is one. What is at the path is removed.
[[nodiscard]] Result<Fd> listen_at(const std::string& path, int group);

// Whether a process listens there.
bool has_listener(const std::string& path);

}  // namespace nids
