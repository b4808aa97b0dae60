// SPDX-License-Identifier: Apache-2.0
#include "agent/class_exchange.hpp"

#include <algorithm>
#include <mutex>
#include <numeric>
#include <utility>

#include "agent/class_table.hpp"
#include "kernel/ring.hpp"

namespace nids {
namespace {

constexpr std::size_t kNames = 256;          // a flow stores its class in a byte
constexpr std::size_t kShortestRecord = 64;  // bytes; every record is longer

// Returns an index that only the agent uses and that no flow has, or 0 if all are in use.
std::size_t unused_name(const std::bitset<kNames>& used) {
  for (std::size_t i = NIDS_CLASS_MAX; i < kNames; ++i)
    if (!used[i]) return i;
  return 0;
}

}  // namespace

void ClassExchange::begin(std::uint32_t number, PlacedClasses classes, const Workers& workers) {
  next_ = Next{.number = number, .classes = std::move(classes), .rounds = {}};
  for (const auto& one : workers) next_->rounds.push_back(one->rounds());
}

// begin() may fall into a round that has already read a ring, so that round does not count. After
// it, one round that empties the rings is enough, or as many rounds as a full ring takes.
bool ClassExchange::is_due(const Workers& workers) const {
  if (!next_) return false;
  if (next_->classes.reused.none()) return true;
  const std::uint64_t enough = 2 + config_.ring.size_bytes / kShortestRecord / RingReader::kBudget;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::uint64_t before = next_->rounds[i];
    if (workers[i]->last_emptying_round() < before + 2 && workers[i]->rounds() < before + enough)
      return false;
  }
  return true;
}

std::uint32_t ClassExchange::finish(const Workers& workers, const Pipelines& pipelines) {
  ClassRules rules = class_rules(config_, next_->classes.classes);
  {
    std::vector<std::unique_lock<FairMutex>> locks;
    for (const auto& one : workers) locks.emplace_back(*one->flows().mutex);
    keep_names(rules, next_->classes.reused, pipelines);
    rules_ = std::make_shared<const ClassRules>(std::move(rules));
    for (const auto& one : pipelines) one->use(rules_);
    outputs_.use_class_names(rules_->names);
  }
  return std::exchange(next_, std::nullopt)->number;
}

// Flows of a class whose index is reused get an index that only the agent uses. If 192 removed
// classes still have flows, no such index is left, and these flows lose their class.
void ClassExchange::keep_names(ClassRules& rules, const ClassSet& reused,
                               const Pipelines& pipelines) const {
  const std::vector<std::string>& before = outputs_.names().classes;
  for (std::size_t i = NIDS_CLASS_MAX; i < before.size(); ++i) rules.names.push_back(before[i]);
  if (reused.none()) return;
  std::bitset<kNames> used = outputs_.changes().classes();
  for (const auto& one : pipelines) used |= one->flows().classes();
  std::array<std::uint8_t, kNames> to;
  std::iota(to.begin(), to.end(), std::uint8_t{0});
  for (std::size_t i = 1; i < reused.size(); ++i) {
    if (!reused[i] || !used[i]) continue;
    const std::size_t place = unused_name(used);
    to[i] = static_cast<std::uint8_t>(place);
    if (place == 0) continue;
    used.set(place);
    rules.names.resize(std::max(rules.names.size(), place + 1));
    rules.names[place] = before[i];
  }
  for (const auto& one : pipelines) one->change_classes(to);
  outputs_.changes().change_classes(to);
}

}  // namespace nids
