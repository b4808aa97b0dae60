// SPDX-License-Identifier: Apache-2.0
// Where the proof of an alert lies, as retain tells log. Opens nothing.
#pragma once

#include <cstdint>
#include <string>

namespace nids {

// Where the packet that raised an alert is kept; no file: it was not kept.
struct Evidence {
  std::string file;
  std::uint64_t packet_number = 0;  // from 1, as Wireshark counts
};

}  // namespace nids
