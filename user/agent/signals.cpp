// SPDX-License-Identifier: Apache-2.0
#include "agent/signals.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nids {
namespace {

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set, one);
  return set;
}

// Whether SIGHUP ends the agent: it was started from a terminal, which is gone. Not under nohup,
// which has the signal ignored. Without a terminal SIGHUP asks to open the EVE file again, and to
// read the configuration again.
bool hang_up_ends() {
  struct sigaction now {};
  if (sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) return false;
  const Fd terminal{open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)};
  return terminal || (errno != ENXIO && errno != ENOENT);
}

}  // namespace

Result<Signals> Signals::take() {
  const sigset_t set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const bool ends = hang_up_ends();
  // A blocked signal is read even where it is ignored; once let through it must not end us.
  if (!ends) std::signal(SIGHUP, SIG_IGN);
  // SIGUSR1 makes every agent open its EVE file again, so that a script need not know which agent
  // has a terminal.
  std::signal(SIGUSR1, SIG_IGN);
  // A shell starts background commands with SIGINT ignored; to us it is how one ends an agent. And
  // where SIGCHLD is ignored nobody is told how the agent ended.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGCHLD, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  Fd fd{signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd)
    return Error{.action = "wait for signals",
                 .error_number = errno,
                 .hint = "more open files are needed: ulimit -n"};
  return Signals(std::move(fd), ends);
}

// Taken, not only seen: it would strike once signals are let through again.
Signals::Received Signals::next() const {
  signalfd_siginfo signal;
  if (read(fd_.get(), &signal, sizeof(signal)) <= 0) return {};
  const int number = static_cast<int>(signal.ssi_signo);
  const bool reloads = number == SIGHUP && !hang_up_ends_;
  return {.asked = number == SIGUSR1 ? Asked::kReopen
                   : reloads         ? Asked::kReload
                                     : Asked::kEnd,
          .name = std::string("SIG") + sigabbrev_np(number)};
}

void Signals::let_through() const {
  const sigset_t set = awaited();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace nids
