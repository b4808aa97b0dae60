// SPDX-License-Identifier: Apache-2.0
#include "cli/selection.hpp"

#include <charconv>

namespace nids {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

// Decimal digits, and nothing else.
Result<void> read_count(const char* option, const std::optional<std::string>& text,
                        std::uint64_t least, std::uint64_t& count) {
  if (!text) return {};
  std::uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, failure] = std::from_chars(text->data(), end, number);
  if (failure != std::errc{} || rest != end || number < least || number > kMost)
    return Error{.action = std::string("take ") + option + " " + *text,
                 .reason = "it is no whole number from " + std::to_string(least) + " to " +
                           std::to_string(kMost)};
  count = number;
  return {};
}

}  // namespace

Result<Selection> selected_counts(const SelectionArguments& arguments) {
  Selection selection;
  if (auto read = read_count("--count", arguments.count, 1, selection.max_suspicious); !read)
    return read.error();
  if (auto read = read_count("--store", arguments.store, 0, selection.max_kept); !read)
    return read.error();
  return selection;
}

bool keeps_nothing(const Selection& selection) { return selection.max_kept == 0; }

}  // namespace nids
