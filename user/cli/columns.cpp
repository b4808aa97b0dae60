// SPDX-License-Identifier: Apache-2.0
#include "cli/columns.hpp"

#include <algorithm>
#include <utility>

#include "cli/short_text.hpp"

namespace nids {
namespace {

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";

std::string padded(const std::string& cell, std::size_t width, bool is_right) {
  const std::string blanks(width - std::min(width, columns_of(cell)), ' ');
  return is_right ? blanks + cell : cell + blanks;
}

std::string coloured(std::string line, const std::string& colour) {
  line.erase(line.find_last_not_of(' ') + 1);
  return colour.empty() ? line + '\n' : colour + line + kPlain + '\n';
}

}  // namespace

void TextTable::add(std::vector<std::string> cells, std::string colour) {
  rows_.push_back({std::move(cells), std::move(colour)});
}

std::string TextTable::text(std::size_t width, bool colour) const {
  std::vector<std::size_t> shown, widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (width != 0 && width < columns_[i].least_width) continue;
    std::size_t widest = 0;
    for (const Row& row : rows_) widest = std::max(widest, columns_of(row.cells[i]));
    shown.push_back(i);
    widths.push_back(
        std::max(std::min(widest, columns_[i].widest), columns_of(columns_[i].header)));
  }
  const auto line = [&](const auto& cell_of) {
    std::string text;
    std::size_t due = 0, used = 0;  // where a column should begin, and where it can
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const std::string& cell = cell_of(shown[i]);
      // What was pushed along comes back to its place as soon as there are blanks to spare.
      const std::size_t room = due + widths[i] - std::min(used, due + widths[i]);
      text += padded(cell, room, columns_[shown[i]].is_right) + ' ';
      used += std::max(room, columns_of(cell)) + 1;
      due += widths[i] + 1;
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
