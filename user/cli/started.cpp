// SPDX-License-Identifier: Apache-2.0
#include "cli/started.hpp"

#include <ctime>

namespace nids {
namespace {

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm day{};
  char text[32] = "";
  if (gmtime_r(&seconds, &day)) std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &day);
  return text;
}

std::string end_text(const StartedFacts& facts) {
  // A duration may be longer than the clock can count to.
  constexpr std::chrono::hours kFarAway{24 * 365 * 100};
  std::string end;
  if (facts.duration && *facts.duration <= kFarAway)
    end = "at " + time_text(facts.now + *facts.duration);
  if (facts.max_suspicious != StartedFacts::kUnlimited)
    end += (end.empty() ? "after " : " or after ") + std::to_string(facts.max_suspicious) +
           (facts.max_suspicious == 1 ? " suspicious packet" : " suspicious packets");
  return end.empty() ? "^C ends" : "ends " + end + "; ^C ends sooner";
}

}  // namespace

std::string started_text(const StartedFacts& facts) {
  return "nids-xdp: alerts " +
         (facts.alerts.empty() ? "are not written" : "go to " + facts.alerts) +
         "\nnids-xdp: packets " +
         (facts.packets.empty() ? "are not kept" : "go to " + facts.packets) +
         "\nnids-xdp: " + end_text(facts) + "\n";
}

}  // namespace nids
