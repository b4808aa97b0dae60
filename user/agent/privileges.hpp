// SPDX-License-Identifier: Apache-2.0
// What the process may do, and giving it up. Nothing here can be taken back.
#pragma once

#include <sys/types.h>

#include <string>

#include "nids/result.hpp"

namespace nids {

// Capabilities that attaching needs and the process lacks, "CAP_BPF CAP_NET_ADMIN"; empty: none.
std::string missing_to_attach();
// The same for removing programs, and for loading one without attaching it.
std::string missing_to_detach();
std::string missing_to_load();

struct AgentUser {
  std::string name;  // nids-xdp where there is such a user, else nobody
  uid_t uid = 65534;
  gid_t gid = 65534;
};
AgentUser agent_user();

// The group whose members may read counters; -1 where there is none.
int reader_group();

// Becomes the user, with no group beside its own, no capability and no_new_privs.
[[nodiscard]] Result<void> drop_privileges(const AgentUser& user);

// The same for root, who reads somebody else's file; another user stays who he is, but without
// capabilities.
[[nodiscard]] Result<void> drop_root();

// The same for root in a directory of another user, who could have prepared what stands there: root
// becomes its owner. In one of root's own he stays root.
[[nodiscard]] Result<void> become_owner(int directory_fd);

}  // namespace nids
