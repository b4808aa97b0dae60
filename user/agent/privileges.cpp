// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>

namespace nids {

namespace {

struct Capability {
  unsigned number;
  const char* name;
};

// Those of loading come first. CAP_SYS_ADMIN: finding programs and maps by id, and mounting the
// bpffs. The last three: for the agent to become a user without privileges.
constexpr std::array kToAttach{
    Capability{CAP_BPF, "CAP_BPF"},         Capability{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    Capability{CAP_PERFMON, "CAP_PERFMON"}, Capability{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
    Capability{CAP_SETUID, "CAP_SETUID"},   Capability{CAP_SETGID, "CAP_SETGID"},
    Capability{CAP_SETPCAP, "CAP_SETPCAP"}};

constexpr std::size_t kToLoad = 3, kToDetach = 4;

std::string missing_of(std::span<const Capability> needed) {
  std::string missing;
  capng_get_caps_process();
  for (const auto& [capability, name] : needed)
    if (!capng_have_capability(CAPNG_EFFECTIVE, capability))
      missing += (missing.empty() ? "" : " ") + std::string(name);
  return missing;
}

Result<void> forbid_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Error{.action = "set no_new_privs", .error_number = errno};
  return {};
}

// What a user who is not root was given: file or ambient capabilities.
Result<void> drop_capabilities() {
  capng_get_caps_process();
  if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE) return {};
  capng_clear(CAPNG_SELECT_CAPS);
  if (const int error = capng_apply(CAPNG_SELECT_CAPS); error != 0)
    return Error{.action = "give up capabilities",
                 .reason = "libcap-ng returned " + std::to_string(error)};
  return forbid_new_privileges();
}

}  // namespace

std::string missing_to_attach() { return missing_of(kToAttach); }
std::string missing_to_detach() { return missing_of(std::span(kToAttach).first(kToDetach)); }
std::string missing_to_load() { return missing_of(std::span(kToAttach).first(kToLoad)); }

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
  return forbid_new_privileges();
}

Result<void> become_owner(int directory_fd) {
  if (geteuid() != 0) return drop_capabilities();
  struct stat status {};
  if (fstat(directory_fd, &status) != 0)
    return Error{.action = "look at a directory", .error_number = errno};
  if (status.st_uid == 0) return {};
  return drop_privileges(
      {.name = std::to_string(status.st_uid), .uid = status.st_uid, .gid = status.st_gid});
}

Result<void> drop_root() {
  return geteuid() == 0 ? drop_privileges(agent_user()) : drop_capabilities();
}

}  // namespace nids
