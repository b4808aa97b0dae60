// SPDX-License-Identifier: Apache-2.0
#include "agent/confinement.hpp"

#include <linux/bpf.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "nids/abi/counters.h"
#include "nids/fd.hpp"

namespace nids {
namespace {

constexpr std::array<std::string_view, 88> kAllowed{"accept",
                                                    "accept4",
                                                    "access",
                                                    "brk",
                                                    "clock_getres",
                                                    "clock_gettime",
                                                    "clock_nanosleep",
                                                    "clone",
                                                    "close",
                                                    "dup",
                                                    "epoll_create1",
                                                    "epoll_ctl",
                                                    "epoll_pwait",
                                                    "epoll_wait",
                                                    "eventfd2",
                                                    "exit",
                                                    "exit_group",
                                                    "faccessat",
                                                    "faccessat2",
                                                    "fallocate",
                                                    "fchmod",
                                                    "fcntl",
                                                    "fdatasync",
                                                    "flock",
                                                    "fstat",
                                                    "fstatfs",
                                                    "fsync",
                                                    "ftruncate",
                                                    "futex",
                                                    "getcwd",
                                                    "getdents64",
                                                    "getegid",
                                                    "geteuid",
                                                    "getgid",
                                                    "getpid",
                                                    "getppid",
                                                    "getrandom",
                                                    "getsockname",
                                                    "getsockopt",
                                                    "gettid",
                                                    "gettimeofday",
                                                    "getuid",
                                                    "ioctl",
                                                    "linkat",
                                                    "lseek",
                                                    "lstat",
                                                    "madvise",
                                                    "mmap",
                                                    "mprotect",
                                                    "mremap",
                                                    "munmap",
                                                    "nanosleep",
                                                    "newfstatat",
                                                    "open",
                                                    "openat",
                                                    "poll",
                                                    "ppoll",
                                                    "prctl",
                                                    "pread64",
                                                    "pwrite64",
                                                    "read",
                                                    "readlink",
                                                    "readlinkat",
                                                    "readv",
                                                    "recvfrom",
                                                    "recvmsg",
                                                    "renameat",
                                                    "renameat2",
                                                    "restart_syscall",
                                                    "rseq",
                                                    "rt_sigaction",
                                                    "rt_sigprocmask",
                                                    "rt_sigreturn",
                                                    "sched_yield",
                                                    "sendmsg",
                                                    "sendto",
                                                    "set_robust_list",
                                                    "shutdown",
                                                    "sigaltstack",
                                                    "stat",
                                                    "tgkill",
                                                    "timerfd_create",
                                                    "timerfd_settime",
                                                    "unlink",
                                                    "unlinkat",
                                                    "wait4",
                                                    "write",
                                                    "writev"};

// Sanitizers open files in /proc. AddressSanitizer also traces its own process at the end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// Of those above, calls of which only some arguments are allowed.
enum class Only { kAll, kNoExecutableMemory, kThreads, kOwnSignals, kHarmlessIoctl, kNames };

Only limit_of(std::string_view name) {
  if (name == "mmap" || name == "mprotect") return Only::kNoExecutableMemory;
  if (name == "clone") return Only::kThreads;
  if (name == "tgkill") return Only::kOwnSignals;
  if (name == "ioctl") return Only::kHarmlessIoctl;
  return name == "prctl" ? Only::kNames : Only::kAll;
}

struct ReleaseFilter {
  void operator()(void* filter) const noexcept { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

constexpr int kPrSetVma = 0x53564d41;  // names a mapping: sanitizers do

int allow(scmp_filter_ctx filter, int call, const scmp_arg_cmp& compare) {
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &compare);
}

// 0, or a negative errno.
int allow(scmp_filter_ctx filter, std::string_view name) {
  const int call = seccomp_syscall_resolve_name(std::string(name).c_str());
  if (call == __NR_SCMP_ERROR) return 0;  // another architecture's
  const auto with = [&](std::initializer_list<scmp_arg_cmp> choices) {
    for (const scmp_arg_cmp& one : choices)
      if (const int error = allow(filter, call, one); error != 0) return error;
    return 0;
  };
  constexpr std::uint64_t kThread = CLONE_VM | CLONE_THREAD;
  switch (limit_of(name)) {
    case Only::kNoExecutableMemory:
      return with({SCMP_A2(SCMP_CMP_MASKED_EQ, std::uint64_t{PROT_EXEC}, 0)});
    case Only::kThreads:
      return with({SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread)});
    case Only::kOwnSignals:  // abort()
      return with({SCMP_A0(SCMP_CMP_EQ, static_cast<std::uint64_t>(getpid()))});
    case Only::kHarmlessIoctl:  // never TIOCSTI or TIOCLINUX, which type into a terminal
      return with({SCMP_A1(SCMP_CMP_EQ, std::uint64_t{FIONBIO}),
                   SCMP_A1(SCMP_CMP_EQ, std::uint64_t{FIONREAD}),
                   SCMP_A1(SCMP_CMP_EQ, std::uint64_t{TCGETS})});
    case Only::kNames:
      return with({SCMP_A0(SCMP_CMP_EQ, std::uint64_t{PR_SET_NAME}),
                   SCMP_A0(SCMP_CMP_EQ, std::uint64_t{kPrSetVma})});
    case Only::kAll:
      break;
  }
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

// Maps that are open are read by bpf(2) where they can't be mapped.
int allow_bpf(scmp_filter_ctx filter, bool may_run_programs) {
  // libbpf asks for a ring's size.
  int error =
      allow(filter, SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, std::uint64_t{BPF_OBJ_GET_INFO_BY_FD}));
  if (!may_run_programs) return error;
  for (const auto command : {BPF_PROG_TEST_RUN, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM})
    if (error == 0)
      error =
          allow(filter, SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, static_cast<std::uint64_t>(command)));
  return error;
}

Result<void> limit_system_calls(bool may_run_programs) {
  const auto failed = [](int error) {
    return Error{.action = "limit the system calls of this process", .error_number = -error};
  };
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return failed(-ENOMEM);
  int error = 0;
  for (const std::string_view name : kAllowed)
    if (error == 0) error = allow(filter.get(), name);
  // Its flags are in memory, where no filter sees them: glibc then takes clone().
  if (error == 0)
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (error == 0) error = allow_bpf(filter.get(), may_run_programs);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return failed(error);
  return {};
}

// glibc 2.36 has no functions for these.
int create_ruleset(const landlock_ruleset_attr* attributes, std::size_t bytes,
                   std::uint32_t flags) {
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, attributes, bytes, flags));
}

// Rights of version 1 of Landlock (Linux 5.13), in the order of their bits.
constexpr std::uint64_t kFirstRights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t kRefer = 1 << 13, kTruncate = 1 << 14;  // of version 2 and 3
constexpr std::uint64_t kInDirectory =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate;

// False where the kernel has no Landlock, or it is not in use.
Result<bool> limit_files(std::span<const int> directories) {
  const int version = create_ruleset(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  const auto failed = [] {
    return Error{.action = "limit the files that this process may open", .error_number = errno};
  };
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs =
      kFirstRights | (version >= 2 ? kRefer : 0) | (version >= 3 ? kTruncate : 0);
  const Fd ruleset{create_ruleset(&attributes, sizeof(attributes), 0)};
  if (!ruleset) return failed();
  for (const int directory : directories) {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = kInDirectory & attributes.handled_access_fs;
    rule.parent_fd = directory;
    if (syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
      return failed();
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return failed();
  return true;
}

}  // namespace

Result<std::uint64_t> confine(const ConfinementRequest& request) {
  if (kIsSanitized) return 0;
  // Both filters ask for it of whoever is not root.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Error{.action = "set no_new_privs", .error_number = errno};
  const auto files = limit_files(request.directories);
  if (!files) return files.error();
  if (auto limited = limit_system_calls(request.may_run_programs); !limited) return limited.error();
  return NIDS_CONFINED_CALLS | (*files ? std::uint64_t{NIDS_CONFINED_FILES} : 0);
}

Result<void> confine_command(const ConfinementRequest& request) {
  const auto confined = confine(request);
  if (!confined) return confined.error();
  return {};
}

std::span<const std::string_view> allowed_system_calls() { return kAllowed; }

}  // namespace nids
