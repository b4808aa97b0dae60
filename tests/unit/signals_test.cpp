// SPDX-License-Identifier: Apache-2.0
#include "agent/signals.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

namespace nids {
namespace {

using Asked = Signals::Asked;

// Runs in a child process, because signal settings belong to the process. Exits with 0 on success.
template <class Check>
[[noreturn]] void in_process(Check check) {
  setsid();  // no terminal
  const auto signals = Signals::take();
  _exit(signals && check(*signals) ? 0 : 1);
}

TEST(SignalsDeathTest, Usr1ReopensAndHupWithoutATerminalReloads) {
  EXPECT_EXIT(in_process([](const Signals& signals) {
                for (const auto& [number, asked] :
                     {std::pair{SIGUSR1, Asked::kReopen}, {SIGHUP, Asked::kReload}}) {
                  std::raise(number);
                  if (signals.next().asked != asked) return false;
                }
                return signals.next().asked == Asked::kNothing;
              }),
              testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, IntAndTermEndAndAreNamed) {
  EXPECT_EXIT(
      in_process([](const Signals& signals) {
        for (const auto& [number, name] : {std::pair{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}}) {
          std::raise(number);
          const auto received = signals.next();
          if (received.asked != Asked::kEnd || received.name != name) return false;
        }
        return signals.next().asked == Asked::kNothing;
      }),
      testing::ExitedWithCode(0), "");
}

// The programs are gone by then, but the summary is not written yet.
TEST(SignalsDeathTest, Usr1EndsNothingOnceSignalsAreLetThrough) {
  EXPECT_EXIT(in_process([](const Signals& signals) {
                std::raise(SIGUSR1);
                signals.let_through();
                std::raise(SIGUSR1);
                return true;
              }),
              testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, TermEndsTheProcessOnceSignalsAreLetThrough) {
  EXPECT_EXIT(in_process([](const Signals& signals) {
                std::raise(SIGTERM);
                signals.let_through();
                return true;
              }),
              testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace nids
