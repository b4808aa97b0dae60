// SPDX-License-Identifier: Apache-2.0
// An index for who writes to a store, whatever is there: made anew from the segments where it has
// to be, beside the old one, which stays until the new one is whole.
#pragma once

#include <string>

#include "nids/result.hpp"
#include "retain/index.hpp"
#include "retain/repair.hpp"

namespace nids {

// Anew, in a directory that no agent keeps packets in: the caller has its lock. Alerts that are in
// the old one only, as their packets were not kept, are taken from there where it can be read. The
// old one is put aside.
Result<Repaired> rebuild_index(int directory_fd, const std::string& path);

// The one that is there, repaired; where there is none or it can't be used, one made anew, which
// goes on where it was ended before. What was repaired is said in `repaired`.
Result<Index> open_repaired(int directory_fd, const std::string& path, Repaired& repaired,
                            const GoesOn& goes_on = {});

}  // namespace nids
