// SPDX-License-Identifier: Apache-2.0
// --filter, --count and --store as the agent takes them. Opens no capture and no interface.
#pragma once

#include "cli/command.hpp"
#include "nids/result.hpp"
#include "worker/selection.hpp"

namespace nids {

// Without the filter, which wants the link type. Errors are usage errors.
[[nodiscard]] Result<Selection> selected_counts(const SelectionArguments& arguments);

// Of --store 0: there is nothing to open.
bool keeps_nothing(const Selection& selection);

}  // namespace nids
