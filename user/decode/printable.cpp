// SPDX-License-Identifier: Apache-2.0
#include "decode/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace nids {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // bytes; 0: not UTF-8
};

// RFC 3629: neither overlong forms, nor surrogates, nor anything past U+10FFFF.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};

  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};

  std::uint32_t value = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || is_surrogate) return {};
  return {value, length};
}

bool is_control(std::uint32_t value) { return value < 0x20 || (value >= 0x7f && value <= 0x9f); }

// Line and paragraph separators break a line for some readers; the bidirectional controls
// show text in another order than it has.
bool misleads(std::uint32_t value) {
  return (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
}

void append_escape(std::string& out, const char* format, std::uint32_t value) {
  char escape[16];
  std::snprintf(escape, sizeof(escape), format, value);
  out += escape;
}

}  // namespace

// A backslash stays one, so that text made safe twice is the same text.
std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint code_point = first_code_point(text.substr(at));
    const std::size_t length = std::max<std::size_t>(code_point.length, 1);
    if (length > max_bytes - at) return out += "\u2026";

    if (code_point.length == 0)
      out += "\ufffd";
    else if (is_control(code_point.value))
      append_escape(out, "\\x%02x", code_point.value);
    else if (misleads(code_point.value))
      append_escape(out, "\\u%04x", code_point.value);
    else
      out += text.substr(at, length);
    at += length;
  }
  return out;
}

}  // namespace nids
