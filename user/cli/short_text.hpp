// SPDX-License-Identifier: Apache-2.0
// Numbers and addresses in few columns, for tables that people read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nids {

// At most 4 columns: "999", "1.2k", "34k", "5.0M". Thousands.
std::string short_count(std::uint64_t count);
// The same of 1024s: "999", "1.2K", "34K", "8.0G".
std::string short_bytes(std::uint64_t bytes);
// "0s", "99s", "2m", "99m", "47h", "9d"
std::string short_age(std::uint64_t ns);
// "1,234"
std::string grouped(std::uint64_t count);

// Columns on a terminal, of text that is printable(): one a code point.
std::size_t columns_of(std::string_view text);

// Texts with an ellipsis where they don't fit. No two texts become the same one: the second then
// stays whole.
class Shortener {
 public:
  std::string fit(const std::string& text, std::size_t columns);

 private:
  std::unordered_map<std::string, std::string> whole_;  // by what was made of it
};

}  // namespace nids
