// SPDX-License-Identifier: Apache-2.0
// The listening socket for metrics, made by the parent, which may. Accepts nobody.
#pragma once

#include <string>

#include "config/config.hpp"
#include "nids/fd.hpp"
#include "nids/result.hpp"

namespace nids {

std::string metrics_path(const std::string& run_directory);

// Not blocking. The socket at metrics_path(), mode 0660 of `group`, or a port of this host.
[[nodiscard]] Result<Fd> listen_for_metrics(const Config::Metrics& config,
                                            const std::string& run_directory, int group);

}  // namespace nids
