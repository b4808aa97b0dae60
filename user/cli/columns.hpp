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
  std::size_t widest = 1000;    // longer cells push along what is right of them
  std::size_t least_width = 0;  // of the terminal, for it to be shown
};

class TextTable {
 public:
  explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}

  // A cell a column, safe to print. `colour` is an escape sequence, or empty.
  void add(std::vector<std::string> cells, std::string colour = {});
  // Header and rows, without blanks at their ends. Width 0: there is no terminal, and all is shown.
  std::string text(std::size_t width, bool colour) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string colour;
  };
  std::vector<TextColumn> columns_;
  std::vector<Row> rows_;
};

}  // namespace nids
