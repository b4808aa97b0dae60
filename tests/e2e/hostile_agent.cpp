// SPDX-License-Identifier: Apache-2.0
// An agent that does what code of an attacker would do there, right after it was confined: it says
// on standard error what the kernel answered, a line an attempt. tests/e2e/test_confinement.py runs
// it on a terminal. Arguments: an interface, a file that is to stay untouched; without any it
// prints the system calls that remain.
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "agent/confinement.hpp"
#include "agent/supervisor.hpp"

namespace nids {
namespace {

// A line an attempt: its name, and "done" or the error.
void attempt(const char* name, const std::function<long()>& call) {
  errno = 0;
  const long result = call();
  std::fprintf(stderr, "hostile %s %s\n", name, result >= 0 ? "done" : strerrorname_np(errno));
}

int opened(const std::string& path, int flags) {
  return open(path.c_str(), flags | O_CLOEXEC, 0600);
}

void try_terminals(const std::string& parent) {
  char letter = 'x';
  attempt("type-standard-input", [&] { return ioctl(STDIN_FILENO, TIOCSTI, &letter); });
  attempt("open-terminal", [] { return opened("/dev/tty", O_RDWR); });
  attempt("open-parents-terminal", [&] { return opened(parent + "/fd/0", O_RDWR | O_NOCTTY); });
  // Whatever descriptor there may be.
  attempt("type-any", [&] {
    for (int fd = 0; fd < 256; ++fd)
      if (ioctl(fd, TIOCSTI, &letter) == 0) return 0;
    return -1;
  });
}

void try_files(const std::string& untouched) {
  attempt("read-passwd", [] { return opened("/etc/passwd", O_RDONLY); });
  attempt("read-untouched", [&] { return opened(untouched, O_RDONLY); });
  attempt("write-untouched", [&] { return opened(untouched, O_WRONLY); });
  attempt("make-beside-it", [&] { return opened(untouched + ".new", O_WRONLY | O_CREAT); });
  attempt("remove-untouched", [&] { return unlink(untouched.c_str()); });
  attempt("change-rights", [&] { return chmod(untouched.c_str(), 0777); });
  attempt("memory-of-itself", [] { return opened("/proc/self/mem", O_RDWR); });
}

void try_sockets() {
  attempt("socket-internet", [] { return socket(AF_INET, SOCK_STREAM, 0); });
  attempt("socket-local", [] { return socket(AF_UNIX, SOCK_STREAM, 0); });
  attempt("socket-packet", [] { return socket(AF_PACKET, SOCK_RAW, 0); });
  attempt("socket-pair", [] {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  });
  attempt("connect", [] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    return connect(STDIN_FILENO, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  });
}

void try_memory() {
  constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
  attempt("map-executable", [] {
    return mmap(nullptr, 4096, kAll, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
  });
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  attempt("make-executable", [&] { return mprotect(page, 4096, PROT_READ | PROT_EXEC); });
  attempt("memory-file", [] { return memfd_create("x", 0); });
}

void try_processes(int parent) {
  attempt("trace", [&] { return ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); });
  attempt("read-process", [&] {
    char byte = 0;
    iovec here{&byte, 1}, there{&byte, 1};
    return process_vm_readv(parent, &here, 1, &there, 1, 0);
  });
  attempt("signal", [&] { return kill(parent, SIGCONT); });
  attempt("signal-thread", [&] { return syscall(SYS_tgkill, parent, parent, SIGCONT); });
  attempt("signal-all", [] { return kill(-1, 0); });
  attempt("process-descriptor", [&] { return syscall(SYS_pidfd_open, parent, 0); });
  attempt("fork", [] {
    const int child = fork();
    if (child == 0) _exit(0);
    return child;
  });
  attempt("execute", [] {
    char path[] = "/bin/true";
    char* arguments[] = {path, nullptr};
    return execv(path, arguments);
  });
}

void try_kernel() {
  attempt("become-root", [] { return setuid(0); });
  attempt("namespaces", [] { return unshare(CLONE_NEWUSER); });
  attempt("bpf-map", [] {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = attributes.value_size = 4;
    attributes.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
  });
  attempt("io-uring", [] {
    char room[256] = {};
    return syscall(SYS_io_uring_setup, 1, room);
  });
  attempt("another-personality", [] { return syscall(SYS_personality, 0x0400000); });
}

// What it is to be able to do, so that a refusal above means something.
void try_what_is_allowed() {
  attempt("allowed-time", [] { return clock(); });
  attempt("allowed-memory", [] {
    return mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                            : 0;
  });
}

int run(const char* interface, const std::string& untouched) {
  const auto say = [](const std::string& text) {
    std::fprintf(stderr, "nids-xdp: %s\n", text.c_str());
  };
  const auto print = [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  const int parent = getpid();
  AttachRequest request{
      .interfaces = {interface}, .config = default_config(), .paths = default_paths()};
  Callbacks callbacks{.info = say,
                      .warning = say,
                      .error = say,
                      .in_agent = {},
                      .confined =
                          [&] {
                            try_terminals("/proc/" + std::to_string(parent));
                            try_files(untouched);
                            try_sockets();
                            try_memory();
                            try_processes(parent);
                            try_kernel();
                            try_what_is_allowed();
                          },
                      .alert = {},
                      .lines_lost = [] { return std::uint64_t{0}; },
                      .out = print,
                      .err = print,
                      .has_room = [] { return true; },
                      .started = [](bool, const std::string&) { std::fputs("^C ends\n", stderr); }};
  const auto outcome = Supervisor(request, callbacks).run();
  if (!outcome) say(outcome.error().message());
  return outcome && outcome->is_done ? 0 : 1;
}

}  // namespace
}  // namespace nids

int main(int argc, char** argv) {
  if (argc == 3) return nids::run(argv[1], argv[2]);
  for (const std::string_view name : nids::allowed_system_calls())
    std::puts(std::string(name).c_str());
  return 0;
}
