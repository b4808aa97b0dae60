// SPDX-License-Identifier: Apache-2.0
// The links of the configuration, with the interfaces that are to be watched. Attaches nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "kernel/netlink.hpp"
#include "net/links.hpp"
#include "nids/result.hpp"

namespace nids {

// Leaves out a link of which no interface is watched, with a warning, because agents may share a
// file. Returns an error if a part of the interfaces is watched: each flow would have one
// direction.
[[nodiscard]] Result<Links> join_interfaces(const std::vector<Config::Link>& links,
                                            const std::vector<LinkFacts>& watched,
                                            const std::function<void(const std::string&)>& warning);

}  // namespace nids
