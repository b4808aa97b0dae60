// SPDX-License-Identifier: Apache-2.0
#include "cli/ending.hpp"

#include <csignal>
#include <initializer_list>

namespace nids {
namespace {

volatile std::sig_atomic_t g_is_to_end = 0;

}  // namespace

void end_at_signals() {
  g_is_to_end = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { g_is_to_end = 1; };
  action.sa_flags = SA_RESETHAND;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    // Whoever started this with a signal ignored, as nohup does, wants it so.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      sigaction(signal, &action, nullptr);
  }
}

bool is_to_end() { return g_is_to_end != 0; }

}  // namespace nids
