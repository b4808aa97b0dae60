// SPDX-License-Identifier: Apache-2.0
// The listening socket for metrics. The parent makes it, because the child may not. Accepts nobody.
#pragma once

#include <string>

#include "config/config.hpp"
#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

std::string metrics_path(const std::string& run_directory);

// Returns a non-blocking socket: at metrics_path() with mode 0660 for `group`, or at a loopback
// port.
[[nodiscard]] Result<Fd> listen_for_metrics(const Config::Metrics& config,
                                            const std::string& run_directory, int group);

}  // namespace nids
