// SPDX-License-Identifier: Apache-2.0
// What libbpf and libxdp say while they work: to a logger, and the reason of the last refusal.
#pragma once

#include <functional>
#include <string>

namespace nids {

enum class LibraryLevel { kWarning, kInfo, kDebug };

// Both libraries know one process-wide printer; call once, before the first attach. Warnings come
// as info: what matters of them is in the Error of the call that failed.
void set_library_log(std::function<void(LibraryLevel, const std::string&)> log);

// The kernel's own words about the last refusal ("veth: Peer MTU is too large to set XDP"), and
// forgets them; empty where it gave none.
std::string take_kernel_message();

}  // namespace nids
