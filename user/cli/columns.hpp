// SPDX-License-Identifier: Apache-2.0
// A table of text with a header, for a terminal or a pipe. Prints nothing.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nids {

struct TextColumn {
  std::string header;
  bool is_right = false;        // numbers
  bool is_address = false;      // an end of a flow: of IPv6 the middle may be left out
  std::size_t may_end_at = 0;   // what is behind so many columns may be left out; 0: nothing
  std::size_t least_width = 0;  // of the terminal, for it to be shown
  int sacrifice = 0;            // what is left out where a line has no room, 1 first; 0: never
};

class TextTable {
 public:
  explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}

  // A cell a column, safe to print. `colour` is an escape sequence, or empty.
  void add(std::vector<std::string> cells, std::string colour = {});
  // Header and rows, without blanks at their ends. Each column is as wide as its widest cell. Where
  // a line would be longer than the terminal addresses are shortened, then texts, then columns are
  // left out. It is longer all the same where nothing more can be, or where two addresses would
  // become the same. Width 0: there is no terminal, and all is shown.
  std::string text(std::size_t width, bool colour) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string colour;
  };
  struct Shown {
    std::size_t index;
    std::size_t width;
    std::size_t least;  // to which shortening can bring it
  };
  std::vector<Shown> natural(std::size_t width) const;
  std::vector<Shown> fitted(std::size_t width) const;
  // Whether a line fits now.
  bool shorten(std::vector<Shown>& shown, std::size_t width) const;
  // Whether there was one to leave out.
  bool leave_one_out(std::vector<Shown>& shown) const;

  std::vector<TextColumn> columns_;
  std::vector<Row> rows_;
};

// In which an alert of that severity, and what has one, is told.
const char* severity_colour(int severity);

}  // namespace nids
