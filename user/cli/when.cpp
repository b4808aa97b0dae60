// SPDX-License-Identifier: Apache-2.0
#include "cli/when.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond_ns = 1'000'000'000;
constexpr std::uint64_t kDay_ms = 86'400'000;

// Reads from the left what it is asked for.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly so many digits.
  bool number(std::size_t digits, int& value) {
    const std::string_view text = rest_.substr(0, digits);
    if (text.size() != digits || !std::all_of(text.begin(), text.end(), is_digit)) return false;
    std::from_chars(text.data(), text.data() + text.size(), value);
    rest_.remove_prefix(digits);
    return true;
  }
  // Of a second, to the nanosecond.
  bool fraction(std::uint64_t& ns) {
    std::uint64_t unit = kSecond_ns;
    const std::size_t size = rest_.size();
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1)) {
      unit /= 10;
      ns += unit * static_cast<std::uint64_t>(rest_.front() - '0');
    }
    return rest_.size() < size;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

// Seconds east of Greenwich; nothing where the text is none.
std::optional<std::int64_t> zone(Scanner& scanner) {
  if (scanner.take('Z')) return 0;
  const bool is_west = scanner.take('-');
  int hours = 0, minutes = 0;
  if ((!is_west && !scanner.take('+')) || !scanner.number(2, hours)) return std::nullopt;
  scanner.take(':');
  if (!scanner.number(2, minutes) || hours > 14 || minutes > 59) return std::nullopt;
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return is_west ? -seconds : seconds;
}

bool read_clock(Scanner& scanner, std::tm& tm, std::uint64_t& ns) {
  if (!scanner.number(2, tm.tm_hour) || !scanner.take(':') || !scanner.number(2, tm.tm_min))
    return false;
  if (scanner.take(':')) {
    if (!scanner.number(2, tm.tm_sec)) return false;
    if (scanner.take('.') && !scanner.fraction(ns)) return false;
  }
  return tm.tm_hour <= 23 && tm.tm_min <= 59 && tm.tm_sec <= 60;
}

std::optional<WallTime> absolute(std::string_view text) {
  Scanner scanner(text);
  std::tm tm{};
  std::uint64_t ns = 0;
  if (!scanner.number(4, tm.tm_year) || !scanner.take('-') || !scanner.number(2, tm.tm_mon) ||
      !scanner.take('-') || !scanner.number(2, tm.tm_mday))
    return std::nullopt;
  if ((scanner.take('T') || scanner.take(' ')) && !read_clock(scanner, tm, ns)) return std::nullopt;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  const std::tm typed = tm;
  std::int64_t east = 0;
  if (!scanner.at_end()) {
    const auto told = zone(scanner);
    if (!told || !scanner.at_end()) return std::nullopt;
    east = *told;
  }
  const std::int64_t seconds = ::timegm(&tm) - east;
  // It takes the 31st of June for the 1st of July. A second 60 may lead to the next day.
  const bool is_a_day = tm.tm_mon == typed.tm_mon && tm.tm_mday == typed.tm_mday;
  if ((!is_a_day && typed.tm_sec != 60) || typed.tm_mon < 0 || typed.tm_mon > 11 || seconds < 0)
    return std::nullopt;
  if (seconds > INT64_MAX / static_cast<std::int64_t>(kSecond_ns) - 1) return std::nullopt;
  return WallTime{static_cast<std::uint64_t>(seconds) * kSecond_ns + ns};
}

std::optional<std::uint64_t> milliseconds(std::string_view text) {
  if (!text.ends_with('d')) {
    const auto ms = parse_duration_ms(text);
    return ms ? std::optional(*ms) : std::nullopt;
  }
  std::uint64_t days = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [stop, failure] = std::from_chars(text.data(), end, days);
  if (failure != std::errc{} || stop != end || days > 1'000'000) return std::nullopt;
  return days * kDay_ms;
}

}  // namespace

Result<WallTime> parse_when(std::string_view text, WallTime now) {
  if (text == "now") return now;
  if (const auto time = absolute(text)) return *time;
  const auto ago_ms = milliseconds(text.starts_with('-') ? text.substr(1) : text);
  if (!ago_ms)
    return Error{
        .action = "take \"" + printable(text) + "\" for a time",
        .reason = "2026-11-22T10:00:00, UTC or with +0100 behind it, or how long ago: 10m, 1h, 2d"};
  if (*ago_ms > now.ns / 1'000'000) return WallTime{};
  return WallTime{now.ns - *ago_ms * 1'000'000};
}

Result<void> in_order(const std::optional<WallTime>& since, const std::optional<WallTime>& until) {
  if (!since || !until || *since <= *until) return {};
  return Error{.action = "choose by time",
               .reason = "--since is later than --until, and nothing is between them"};
}

}  // namespace nids
