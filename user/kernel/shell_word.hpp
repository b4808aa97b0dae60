// SPDX-License-Identifier: Apache-2.0
// Names in commands that people are told to run. Runs none.
#pragma once

#include <algorithm>
#include <string>

namespace nids {

// One word to a shell, whatever it holds: who may name an interface, in a container say, must not
// choose what root runs.
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
