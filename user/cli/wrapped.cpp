// SPDX-License-Identifier: Apache-2.0
#include "cli/wrapped.hpp"

namespace nids {

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  if (width <= indent) return std::string(text);
  const std::size_t room = width - indent;
  std::string out;
  while (text.size() > room) {
    std::size_t blank = text.rfind(' ', room);
    if (blank == text.npos) blank = text.find(' ');  // a word longer than a line stays whole
    if (blank == text.npos) break;
    out += std::string(text.substr(0, blank)) + "\n" + std::string(indent, ' ');
    text.remove_prefix(blank + 1);
  }
  return out + std::string(text);
}

}  // namespace nids
