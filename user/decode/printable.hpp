// SPDX-License-Identifier: Apache-2.0
// Text from packets and file names made safe to print: the one rule for terminal, EVE and comments.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nids {

// Valid UTF-8 without control characters (C0, DEL, C1): each of those becomes \xNN, each line
// separator and bidirectional control \uNNNN, each byte that is not UTF-8 becomes U+FFFD, and past
// `max_bytes` of input an ellipsis stands for the rest.
std::string printable(std::string_view text, std::size_t max_bytes = 256);

}  // namespace nids
