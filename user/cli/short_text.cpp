// SPDX-License-Identifier: Apache-2.0
#include "cli/short_text.hpp"

#include <algorithm>
#include <cstdio>

namespace nids {
namespace {

constexpr std::size_t kLeastColumns = 7;  // less of an address would tell nothing

std::string scaled(std::uint64_t number, double base, std::string_view units) {
  if (number < 1000) return std::to_string(number);
  auto value = static_cast<double>(number);
  std::size_t unit = 0;
  do {
    value /= base;
    ++unit;
  } while (value >= 999.5 && unit < units.size());
  char text[32];
  std::snprintf(text, sizeof(text), value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit - 1]);
  return text;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

std::string short_count(std::uint64_t count) { return scaled(count, 1000, "kMGTPE"); }
std::string short_bytes(std::uint64_t bytes) { return scaled(bytes, 1024, "KMGTPE"); }

std::string short_age(std::uint64_t ns) {
  const std::uint64_t seconds = ns / 1'000'000'000;
  if (seconds < 100) return std::to_string(seconds) + "s";
  if (seconds < 100 * 60) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string grouped(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t left = text.size(); left > 3; left -= 3) text.insert(left - 3, 1, ',');
  return text;
}

std::size_t columns_of(std::string_view text) {
  const auto begins = [](char c) { return (c & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

// The head tells the network and the tail the host.
std::string Shortener::fit(const std::string& text, std::size_t columns) {
  if (columns_of(text) <= columns || columns < kLeastColumns || !is_ascii(text)) return text;
  const std::size_t tail = (columns - 1) / 2;
  const std::size_t head = columns - 1 - tail;
  std::string made = text.substr(0, head) + "\u2026" + text.substr(text.size() - tail);
  return whole_.try_emplace(made, text).first->second == text ? made : text;
}

}  // namespace nids
