// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace nids {

// The parts as one text, with `between` between each two.
template <class Parts>
std::string join(const Parts& parts, const char* between = ", ") {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : between) + std::string(part);
  return text;
}

}  // namespace nids
