// SPDX-License-Identifier: Apache-2.0
#include "agent/reload.hpp"

#include <algorithm>
#include <utility>

#include "agent/class_table.hpp"
#include "config/changes.hpp"
#include "kernel/class_tables.hpp"
#include "kernel/flow_maps.hpp"
#include "nids/join.hpp"

namespace nids {
namespace {

constexpr const char* kHint = "end the agent, and attach again";

// Refuses an interest that no class had when the programs were loaded, because they lack its code.
Result<void> check_features(const std::vector<ProtocolClass>& classes,
                            const Attachments& attachments) {
  for (const Attachment& attachment : attachments) {
    const auto info = attachment.maps.info();
    if (!info) return info.error();
    for (const ProtocolClass& one : classes)
      if ((features_of(one.interest) & ~info->features) != 0)
        return Error{.action = "reload",
                     .reason = "class " + one.name +
                               " has an interest that no class had when the "
                               "programs on " +
                               attachment.ifname + " were loaded",
                     .hint = kHint};
  }
  return {};
}

Result<ClassSet> classes_in_all_slots(const Attachments& attachments) {
  ClassSet held;
  for (const Attachment& one : attachments) {
    const auto flows = FlowMaps::of(one.maps);
    if (!flows) return flows.error();
    held |= classes_in_slots(*flows);
  }
  return held;
}

// Searches the slots for flows only if an index has to be reused.
Result<PlacedClasses> place(const ClassIndexes& before, const std::vector<ProtocolClass>& classes,
                            const Attachments& attachments) {
  auto placed = place_classes(before, classes, {});
  if (!placed || placed->reused.none()) return placed;
  const auto held = classes_in_all_slots(attachments);
  if (!held) return held.error();
  return place_classes(before, classes, *held);
}

// Removes these classes from all slots, cells and packets under way. Call wait_for_packets()
// before.
Result<void> take_back(const ClassSet& classes, const Attachments& attachments) {
  if (classes.none()) return {};
  std::vector<FlowMaps> all;
  for (const Attachment& one : attachments) {
    auto flows = FlowMaps::of(one.maps);
    if (!flows) return flows.error();
    all.push_back(std::move(*flows));
  }
  for (const auto take : {take_from_cells, take_from_slots}) {
    for (const FlowMaps& flows : all) take(flows, classes);
    if (auto waited = wait_for_packets(); !waited) return waited;
  }
  for (const Attachment& one : attachments)
    if (auto cleared = clear_class_counters(one.maps, classes); !cleared) return cleared;
  return {};
}

// Does every step on the programs that may fail. The switch comes later and can't fail.
Result<void> prepare_programs(const Config& config, const PlacedClasses& placed,
                              const Attachments& attachments) {
  const auto classes = abi_classes(config, placed.classes);
  const auto ports = abi_ports(placed.classes);
  if (auto waited = wait_for_packets(); !waited) return waited;
  for (const Attachment& one : attachments)
    if (auto written = write_next_classes(one.maps, classes, *ports); !written) return written;
  return take_back(placed.reused, attachments);
}

constexpr const char* kUnchanged = "nothing was changed";
// For a failure in or after take_back().
constexpr const char* kMayBeLost =
    "the classes are as before, but flows of removed classes may have lost theirs";

ReloadOutcome refused(Error error, const char* effect = kUnchanged) {
  (error.reason.empty() ? error.action : error.reason) += std::string("; ") + effect;
  return {.is_done = false, .text = "nids-xdp: " + error.message()};
}

}  // namespace

// A starting agent already has its classes from the parent. An agent that has ended left records in
// the rings, and the next agent must know the names of their classes.
Result<void> check_agent(const AgentProcess& agent, const PlacedClasses& placed) {
  const char* const hint = "try again in a moment";
  if (agent.is_starting())
    return Error{.action = "reload", .reason = "the agent is just starting", .hint = hint};
  if (placed.reused.any() && !agent.is_running())
    return Error{.action = "reload",
                 .reason = "a new class needs the index of a removed class, and no agent runs",
                 .hint = hint};
  return {};
}

// Gives the classes to the agent before the programs use them, so that the agent knows the name of
// each class in a record.
ReloadOutcome reload(const Reloadable& running) {
  auto read = running.request.read_config();
  if (!read.config) return {.is_done = false, .text = std::move(read.problems)};
  const Config& before = running.request.config;
  const std::vector<ProtocolClass>& wanted = read.config->classes;
  std::vector<std::string> lines = class_changes(before.classes, wanted);
  const std::vector<std::string> others = changed_keys(before, *read.config);
  if (!lines.empty()) {
    if (auto checked = check_features(wanted, running.attachments); !checked)
      return refused(checked.error());
    auto placed = place(running.classes, wanted, running.attachments);
    if (!placed) return refused(placed.error());
    if (auto checked = check_agent(running.agent, *placed); !checked)
      return refused(checked.error());
    std::vector<ClassSwitch> switches;
    for (const Attachment& one : running.attachments) {
      auto made = ClassSwitch::of(one.maps);
      if (!made) return refused(made.error());
      switches.push_back(std::move(*made));
    }
    if (auto prepared = prepare_programs(before, *placed, running.attachments); !prepared)
      return refused(prepared.error(), placed->reused.any() ? kMayBeLost : kUnchanged);
    // If an index is reused, records in the rings may have its old class, and the next agent would
    // not know that class. Otherwise the next agent starts with the new classes.
    const bool is_taken = running.agent.give_classes(*placed);
    if (!is_taken && placed->reused.any())
      return refused({.action = "reload",
                      .reason = "the agent did not take the new classes",
                      .hint = "try again in a moment"},
                     kMayBeLost);
    if (!is_taken)
      lines.emplace_back("the agent did not take the classes; the next one starts with them");
    running.request.config.classes = wanted;
    running.classes = placed->classes;
    for (const ClassSwitch& one : switches) one.flip();
  }
  if (lines.empty() && others.empty()) lines.emplace_back("nothing changed");
  if (!others.empty()) lines.push_back("needs a restart: " + join(others));
  return {.is_done = true, .text = join(lines, "\n")};
}

}  // namespace nids
