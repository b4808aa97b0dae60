// SPDX-License-Identifier: Apache-2.0
// Who watches an interface: one process of the network namespace at a time, whatever its
// directories. Attaches nothing.
#pragma once

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

// Claims the interface in this network namespace until the descriptor, and each copy of it, is
// closed. EBUSY: another process has it. Any other error: this kernel or these rights know no
// claims. See docs/adr/0016-an-interface-has-one-agent.md.
[[nodiscard]] Result<Fd> claim_interface(int ifindex);

}  // namespace nids
