// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nids {

std::string missing_capabilities() {
  // CAP_SYS_ADMIN: finding programs and maps by id, and mounting the bpffs.
  constexpr std::pair<unsigned, const char*> kNeeded[] = {{CAP_BPF, "CAP_BPF"},
                                                          {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                                          {CAP_PERFMON, "CAP_PERFMON"},
                                                          {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};
  std::string missing;
  capng_get_caps_process();
  for (const auto& [capability, name] : kNeeded)
    if (!capng_have_capability(CAPNG_EFFECTIVE, capability))
      missing += (missing.empty() ? "" : " ") + std::string(name);
  return missing;
}

AgentUser agent_user() {
  for (const char* name : {"nids-xdp", "nobody"})
    if (const passwd* entry = getpwnam(name))
      return {.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid};
  return {.name = "65534"};
}

int reader_group() {
  const group* entry = getgrnam("nids-xdp");
  return entry ? static_cast<int>(entry->gr_gid) : -1;
}

Result<void> drop_privileges(const AgentUser& user) {
  capng_clear(CAPNG_SELECT_BOTH);
  const int error =
      capng_change_id(static_cast<int>(user.uid), static_cast<int>(user.gid),
                      static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING));
  if (error != 0 || capng_have_capabilities(CAPNG_SELECT_BOTH) != CAPNG_NONE)
    return Error{.action = "become the user " + user.name,
                 .reason = "libcap-ng returned " + std::to_string(error)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Error{.action = "set no_new_privs", .error_number = errno};
  return {};
}

Result<void> drop_root() { return geteuid() == 0 ? drop_privileges(agent_user()) : Result<void>{}; }

}  // namespace nids
