// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "config/config.hpp"
#include "config/wording.hpp"

namespace nids {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kSizeUnits{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"kB", 1'000},
    Unit{"KB", 1'000},
    Unit{"KiB", 1ull << 10},
    Unit{"MB", 1'000'000},
    Unit{"MiB", 1ull << 20},
    Unit{"GB", 1'000'000'000},
    Unit{"GiB", 1ull << 30},
    Unit{"TB", 1'000'000'000'000},
    Unit{"TiB", 1ull << 40},
};

// No empty unit: a bare 10 is as likely to mean seconds as milliseconds.
constexpr std::array kDurationUnits{
    Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000},
};

// A hundred years: clocks count nanoseconds in 63 bits, which is 292 of them.
constexpr std::uint64_t kLongestDuration_ms = 36'500ull * 86'400'000;

constexpr std::string_view kSizeExpected =
    "expected a whole number of bytes, or one with a unit: B, KB, MB, GB, TB (thousands), KiB, "
    "MiB, "
    "GiB, TiB (1024s), such as \"64KiB\"";
constexpr std::string_view kDurationExpected =
    "expected a whole number and a unit: ms, s, m, h or d, such as \"10s\"";

Result<std::uint64_t> scaled(std::string_view text, std::span<const Unit> units,
                             std::string_view kind, std::string_view expected) {
  const auto refuse = [&](std::string_view why) {
    return Error{.action = "read " + quoted(text) + " as a " + std::string(kind),
                 .reason = std::string(why)};
  };
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  if (failure == std::errc::invalid_argument) return refuse(expected);

  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const bool overflows = number > std::numeric_limits<std::uint64_t>::max() / unit.factor;
    if (failure == std::errc::result_out_of_range || overflows)
      return refuse("the number is too large: expected less than 2^64");
    return number * unit.factor;
  }
  return refuse(expected);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return scaled(text, kSizeUnits, "size", kSizeExpected);
}

Result<std::uint64_t> parse_duration_ms(std::string_view text) {
  auto ms = scaled(text, kDurationUnits, "duration", kDurationExpected);
  if (ms && *ms > kLongestDuration_ms)
    return Error{.action = "read " + quoted(text) + " as a duration",
                 .reason = "it is too long: expected 36500d at most"};
  return ms;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kBinary{"", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kBinary.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + std::string(kBinary[unit]);
}

}  // namespace nids
