// SPDX-License-Identifier: Apache-2.0
// Long text for narrow terminals. Knows none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nids {

// The text broken at blanks so that it ends before `width`, where it begins in column `indent` and
// further lines do too. Width 0: not broken.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace nids
