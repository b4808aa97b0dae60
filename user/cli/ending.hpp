// SPDX-License-Identifier: Apache-2.0
// An orderly end at ^C for a command that reads or follows: the first signal asks for it, a second
// one of its kind ends the process at once.
#pragma once

namespace nids {

// From now on. Waits are interrupted, not begun again.
void end_at_signals();
bool is_to_end();

}  // namespace nids
