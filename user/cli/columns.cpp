// SPDX-License-Identifier: Apache-2.0
#include "cli/columns.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cli/short_text.hpp"

namespace nids {
namespace {

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";
constexpr std::size_t kLeastAddress = 12;  // "2001:d…:dddd"

std::string padded(const std::string& cell, std::size_t width, bool is_right) {
  const std::string blanks(width - std::min(width, columns_of(cell)), ' ');
  return is_right ? blanks + cell : cell + blanks;
}

std::string coloured(std::string line, const std::string& colour) {
  line.erase(line.find_last_not_of(' ') + 1);
  return colour.empty() ? line + '\n' : colour + line + kPlain + '\n';
}

// "[2001:db8::1]:22" or "2001:db8::1" in its parts. What is no IPv6 has no address here: a part of
// an IPv4 address reads as another one.
struct Ipv6Cell {
  std::string before, address, behind;

  explicit Ipv6Cell(const std::string& cell) : behind(cell) {
    const std::size_t close = cell.rfind(']');
    const std::size_t begin = cell.starts_with('[') ? 1 : 0;
    const std::size_t end = begin == 1 && close != cell.npos ? close : cell.size();
    if (begin == 0 && std::count(cell.begin(), cell.end(), ':') < 2) return;
    before = cell.substr(0, begin);
    address = cell.substr(begin, end - begin);
    behind = cell.substr(end);
  }
  std::size_t others() const { return before.size() + behind.size(); }
  std::size_t least() const { return others() + std::min(address.size(), kLeastAddress); }
  std::string fit(Shortener& shortener, std::size_t columns) const {
    if (address.empty() || columns < least()) return before + address + behind;
    return before + shortener.fit(address, columns - others()) + behind;
  }
};

std::string cut(const std::string& text, std::size_t columns) {
  if (columns_of(text) <= columns || columns == 0) return text;
  std::size_t end = 0;
  for (std::size_t begun = 0; end < text.size(); ++end)
    if ((text[end] & 0xc0) != 0x80 && ++begun == columns) break;
  return text.substr(0, end) + "\u2026";
}

}  // namespace

const char* severity_colour(int severity) {
  if (severity <= 1) return "\x1b[31m";
  return severity == 2 ? "\x1b[33m" : "\x1b[2m";
}

void TextTable::add(std::vector<std::string> cells, std::string colour) {
  rows_.push_back({std::move(cells), std::move(colour)});
}

std::vector<TextTable::Shown> TextTable::natural(std::size_t width) const {
  std::vector<Shown> all;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const TextColumn& column = columns_[i];
    if (width != 0 && width < column.least_width) continue;
    const std::size_t header = columns_of(column.header);
    Shown one{.index = i, .width = header, .least = header};
    for (const Row& row : rows_) {
      const std::string& cell = row.cells[i];
      const std::size_t columns = columns_of(cell);
      one.width = std::max(one.width, columns);
      one.least = std::max(one.least, column.is_address ? Ipv6Cell(cell).least() : columns);
    }
    if (column.may_end_at != 0)
      one.least = std::min(one.width, std::max(header, column.may_end_at));
    all.push_back(one);
  }
  return all;
}

bool TextTable::shorten(std::vector<Shown>& shown, std::size_t width) const {
  std::size_t line = shown.size() - 1;
  for (const Shown& one : shown) line += one.width;
  for (const bool is_address : {true, false}) {
    while (line > width) {
      Shown* widest = nullptr;
      for (Shown& one : shown)
        if (columns_[one.index].is_address == is_address && one.width > one.least &&
            (widest == nullptr || one.width > widest->width))
          widest = &one;
      if (widest == nullptr) break;
      --widest->width;
      --line;
    }
  }
  return line <= width;
}

bool TextTable::leave_one_out(std::vector<Shown>& shown) const {
  const auto rank = [&](const Shown& one) {
    const int sacrifice = columns_[one.index].sacrifice;
    return sacrifice == 0 ? std::numeric_limits<int>::max() : sacrifice;
  };
  const auto first = std::min_element(
      shown.begin(), shown.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  if (columns_[first->index].sacrifice == 0) return false;
  shown.erase(first);
  return true;
}

std::vector<TextTable::Shown> TextTable::fitted(std::size_t width) const {
  std::vector<Shown> shown = natural(width);
  if (width == 0) return shown;
  for (;;) {
    std::vector<Shown> fitted = shown;
    if (shorten(fitted, width)) return fitted;
    if (leave_one_out(shown)) continue;
    for (Shown& one : fitted)  // better a few letters of a text than a line in two
      if (columns_[one.index].may_end_at != 0) one.least = columns_of(columns_[one.index].header);
    shorten(fitted, width);
    return fitted;
  }
}

std::string TextTable::text(std::size_t width, bool colour) const {
  const std::vector<Shown> shown = fitted(width);
  Shortener shortener;
  const auto cell_text = [&](const Shown& one, const std::string& cell) {
    const TextColumn& column = columns_[one.index];
    if (column.is_address) return Ipv6Cell(cell).fit(shortener, one.width);
    return column.may_end_at != 0 ? cut(cell, one.width) : cell;
  };
  const auto line = [&](const auto& cell_of) {
    std::string text;
    std::size_t due = 0, used = 0;  // where a column should begin, and where it can
    for (const Shown& one : shown) {
      const std::string cell = cell_text(one, cell_of(one.index));
      // What was pushed along comes back to its place as soon as there are blanks to spare.
      const std::size_t room = due + one.width - std::min(used, due + one.width);
      text += padded(cell, room, columns_[one.index].is_right) + ' ';
      used += std::max(room, columns_of(cell)) + 1;
      due += one.width + 1;
    }
    return text;
  };
  std::string out =
      coloured(line([&](std::size_t i) -> const std::string& { return columns_[i].header; }),
               colour ? kBold : "");
  for (const Row& row : rows_)
    out += coloured(line([&](std::size_t i) -> const std::string& { return row.cells[i]; }),
                    colour ? row.colour : "");
  return out;
}

}  // namespace nids
