// SPDX-License-Identifier: Apache-2.0
// Quotes names in commands that messages suggest. Runs no command.
#pragma once

#include <algorithm>
#include <string>

namespace nids {

// The name as one word of a shell command. Somebody who can name an interface, as in a container,
// must not choose what root runs.
inline std::string shell_word(const std::string& name) {
  const auto is_harmless = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_' || c == '.' || c == '@' || c == ':';
  };
  if (!name.empty() && std::ranges::all_of(name, is_harmless)) return name;
  std::string quoted = "'";
  for (const char c : name)
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  return quoted + "'";
}

}  // namespace nids
