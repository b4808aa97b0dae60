// SPDX-License-Identifier: Apache-2.0
// Matches the links of the configuration with the watched interfaces. Attaches nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/request.hpp"
#include "config/config.hpp"
#include "kernel/netlink.hpp"
#include "net/links.hpp"
#include "nids/result.hpp"

namespace nids {

// Warns about a link if the agent watches none of its interfaces, and leaves the link out: agents
// may share a configuration file. Returns an error if the agent watches only some of them, because
// each flow would have one direction.
[[nodiscard]] Result<Links> join_interfaces(const std::vector<Config::Link>& links,
                                            const std::vector<LinkFacts>& watched,
                                            const Callbacks& callbacks);

// Returns the same links with only those of their interfaces that are in `interfaces`.
Links links_among(const Links& links, const std::vector<std::uint32_t>& interfaces);

}  // namespace nids
