// SPDX-License-Identifier: Apache-2.0
// The keys of the ABI's lists, by index.
#pragma once

#include <array>

#include "nids/abi/lists.h"

namespace nids {

#define NIDS_KEY(name, key, ...) key,
inline constexpr std::array kParseResultKeys{NIDS_PARSE_RESULTS(NIDS_KEY)};
inline constexpr std::array kNetworkKeys{NIDS_NETWORKS(NIDS_KEY)};
inline constexpr std::array kTransportKeys{NIDS_TRANSPORTS(NIDS_KEY)};
inline constexpr std::array kTunnelKeys{NIDS_TUNNELS(NIDS_KEY)};
inline constexpr std::array kFindingKeys{NIDS_FINDINGS(NIDS_KEY)};
inline constexpr std::array kReasonKeys{NIDS_REASONS(NIDS_KEY)};
#undef NIDS_KEY

}  // namespace nids
