// SPDX-License-Identifier: Apache-2.0
#include "agent/class_index.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string_view>
#include <utility>

namespace nids {
namespace {

IndexedClass retired(ProtocolClass rule, std::uint32_t reloads = 0) {
  rule.interest = NIDS_INTEREST_COUNT;
  rule.ports.clear();
  return {std::move(rule), true, reloads};
}

// Returns 0 if no class has this name.
std::size_t index_of(const ClassIndexes& classes, std::string_view name) {
  for (std::size_t i = 1; i < classes.size(); ++i)
    if (classes[i].rule.name == name) return i;
  return 0;
}

std::size_t first_unused(const ClassIndexes& classes) { return index_of(classes, ""); }

// Returns the candidate whose index is reused first, or 0 if there is no candidate.
std::size_t first_to_reuse(const ClassIndexes& before, const ClassSet& held,
                           const ClassSet& candidates) {
  const auto order = [&](std::size_t i) { return std::pair(!held[i], before[i].reloads); };
  std::size_t first = 0;
  for (std::size_t i = 1; i < before.size(); ++i)
    if (candidates[i] && (first == 0 || order(i) > order(first))) first = i;
  return first;
}

Error no_index(const std::string& name) {
  return {.action = "give class " + name + " an index",
          .reason = "all " + std::to_string(NIDS_CLASS_MAX - 1) +
                    " are in use, including those of classes that this reload removes",
          .hint = "remove classes and reload, then add the others and reload again"};
}

}  // namespace

ClassIndexes indexes_in_order(const std::vector<ProtocolClass>& classes) {
  ClassIndexes all(NIDS_CLASS_MAX);
  for (std::size_t i = 0; i < classes.size() && i + 1 < all.size(); ++i)
    all[i + 1].rule = classes[i];
  return all;
}

ClassIndexes indexes_of(std::span<const nids_class> classes) {
  ClassIndexes all(NIDS_CLASS_MAX);
  for (std::size_t i = 1; i < std::min(classes.size(), all.size()); ++i) {
    const nids_class& one = classes[i];
    if (one.name[0] == 0) continue;
    ProtocolClass rule;
    rule.name.assign(one.name, strnlen(one.name, sizeof(one.name)));
    rule.severity = one.severity;
    all[i] = retired(std::move(rule));
  }
  return all;
}

bool add_indexes(ClassIndexes& all, const ClassIndexes& more) {
  ClassIndexes sum = all;
  for (std::size_t i = 1; i < sum.size(); ++i) {
    const std::string& name = more[i].rule.name;
    if (name.empty()) continue;
    const std::size_t there = index_of(sum, name);
    if (there == i) continue;
    if (there != 0 || !sum[i].rule.name.empty()) return false;
    sum[i] = more[i];
  }
  all = std::move(sum);
  return true;
}

ClassSet retired_classes(const ClassIndexes& classes) {
  ClassSet set;
  for (std::size_t i = 1; i < classes.size(); ++i) set[i] = classes[i].is_retired;
  return set;
}

Result<PlacedClasses> place_classes(const ClassIndexes& before,
                                    const std::vector<ProtocolClass>& classes,
                                    const ClassSet& held) {
  PlacedClasses placed{.classes = before, .reused = {}};
  for (std::size_t i = 1; i < before.size(); ++i)
    if (!before[i].rule.name.empty())
      placed.classes[i] = retired(before[i].rule, before[i].is_retired ? before[i].reloads + 1 : 0);
  for (const ProtocolClass& one : classes)
    if (const std::size_t index = index_of(before, one.name)) placed.classes[index] = {one};
  // A packet under way may still give a flow a class that this reload retires.
  ClassSet candidates = retired_classes(before) & retired_classes(placed.classes);
  for (const ProtocolClass& one : classes) {
    if (index_of(placed.classes, one.name) != 0) continue;
    std::size_t index = first_unused(placed.classes);
    if (index == 0) {
      index = first_to_reuse(before, held, candidates);
      if (index == 0) return no_index(one.name);
      candidates.reset(index);
      placed.reused.set(index);
    }
    placed.classes[index] = {one};
  }
  return placed;
}

}  // namespace nids
