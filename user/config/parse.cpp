// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/class_table.hpp"
#include "config/config.hpp"
#include "config/link_table.hpp"
#include "config/values.hpp"
#include "config/wording.hpp"
#include "nids/abi/event.h"

namespace nids {
namespace {

constexpr std::uint64_t kKiB = 1ull << 10;
constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::uint64_t kGiB = 1ull << 30;
constexpr std::uint64_t kPiB = 1ull << 50;
constexpr std::uint64_t kMaxRemembered = 1ull << 24;  // entries of a table in the agent's memory
constexpr std::uint64_t kMaxScanPorts = 256;          // PortSample::kMax
constexpr std::uint64_t kMaxSuppressSeconds = 7 * 24 * 3600;
constexpr std::uint64_t kMaxSilentSeconds = 24 * 3600;
constexpr std::uint64_t kMaxDomain = 0xffff'ffff;
constexpr std::uint64_t kMaxTemplateSeconds = 24 * 3600;
constexpr std::uint64_t kMaxSegmentSeconds = 7 * 24 * 3600;
constexpr std::uint64_t kMaxHoldSeconds = 3600;
constexpr std::size_t kMaxDotsPerLine = 64;

Read kept(std::uint64_t& out) {
  return kept_of_flow(out, {1, kPiB}, Config::Retain::kKeptHeaders, Config::Retain::kKeptWhole);
}

// For a key that older files may have.
Read replaced_by(const char* key) {
  return [key](const toml::node& node, const std::string& name, Problems& problems) {
    problems.add(node, name,
                 "there is no such key any more; use " + quoted(key) + ", before the first table");
  };
}

Keys schema(Config& c, ClassTable& classes) {
  const Read read_classes = [&classes](const toml::node& node, const std::string& name,
                                       Problems& problems) { classes.read(node, name, problems); };
  return {
      {"workers", integer(c.workers, {1, NIDS_RINGS_MAX, false, true})},
      {"flow",
       table_of(
           {{"slots_per_cpu", integer(c.flow.slots_per_cpu, {64, 1u << 22, true})},
            {"ipv6_slots_per_cpu", integer(c.flow.ipv6_slots_per_cpu, {64, 1u << 22, true})},
            {"unclassified", interest(c.flow.unclassified)},
            {"max_tracked_flows", integer(c.flow.max_tracked_flows, {1, kMaxRemembered})},
            {"tcp_new", seconds(c.flow.tcp_new_seconds, {1, kMaxSilentSeconds})},
            {"tcp_established", seconds(c.flow.tcp_established_seconds, {1, kMaxSilentSeconds})},
            {"tcp_closed", seconds(c.flow.tcp_closed_seconds, {1, kMaxSilentSeconds})},
            {"udp", seconds(c.flow.udp_seconds, {1, kMaxSilentSeconds})},
            {"icmp", seconds(c.flow.icmp_seconds, {1, kMaxSilentSeconds})},
            {"other", seconds(c.flow.other_seconds, {1, kMaxSilentSeconds})},
            {"interim", seconds(c.flow.interim_seconds, {0, kMaxSilentSeconds})}})},
      {"ring", table_of({{"size", size(c.ring.size_bytes, {256 * kKiB, kGiB, true})},
                         {"snap", size(c.ring.snap_bytes, {64, NIDS_SNAP_MAX})},
                         {"sample", size(c.ring.sample_bytes, {64, NIDS_SNAP_MAX})},
                         {"count", replaced_by("workers")}})},
      {"findings", table_of({{"enabled", boolean(c.findings)}})},
      {"alert",
       table_of({{"suppress", seconds(c.alert.suppress_seconds, {0, kMaxSuppressSeconds})},
                 {"max_suppressions", integer(c.alert.max_suppressions, {1, kMaxRemembered})}})},
      {"scan", table_of({{"enabled", boolean(c.scan.enabled)},
                         {"ports", integer(c.scan.ports, {2, kMaxScanPorts})},
                         {"window", seconds(c.scan.window_seconds, {1, kMaxSilentSeconds})}})},
      {"eve", table_of({{"enabled", boolean(c.eve.enabled)},
                        {"path", path(c.eve.path)},
                        {"flows", boolean(c.eve.flows)},
                        {"rotate_size", size(c.eve.rotate_bytes, {64 * kKiB, kPiB, false, true})},
                        {"keep", integer(c.eve.keep, {0, 1000})}})},
      {"retain",
       table_of({{"enabled", boolean(c.retain.enabled)},
                 {"directory", path(c.retain.directory)},
                 {"budget", size(c.retain.budget_bytes, {kMiB, kPiB})},
                 {"segment", size(c.retain.segment_bytes, {kMiB, kPiB})},
                 {"min_free_percent", integer(c.retain.min_free_percent, {0, 90})},
                 {"segment_time", seconds(c.retain.segment_seconds, {1, kMaxSegmentSeconds})},
                 {"queue", size(c.retain.queue_bytes, {kMiB, kGiB})},
                 {"max_alerts", integer(c.retain.max_alerts, {1, kMaxRemembered})},
                 {"sync", one_of(c.retain.sync, kSyncNames)},
                 {"severity_1", kept(c.retain.severity_1)},
                 {"severity_2", kept(c.retain.severity_2)},
                 {"severity_3", kept(c.retain.severity_3)},
                 {"flow_depth", size(c.retain.flow_depth_bytes, {kKiB, kPiB})},
                 {"hold_budget", size(c.retain.hold_budget_bytes, {0, 64 * kGiB})},
                 {"hold_time", seconds(c.retain.hold_seconds, {1, kMaxHoldSeconds})}})},
      {"ipfix", table_of({{"collector", endpoint(c.ipfix.collector)},
                          {"domain", integer(c.ipfix.domain, {0, kMaxDomain})},
                          {"template_seconds",
                           integer(c.ipfix.template_seconds, {1, kMaxTemplateSeconds})}})},
      {"metrics", table_of({{"listen", listener(c.metrics)}})},
      {"links", links(c.links)},
      {"community_id", table_of({{"seed", integer(c.community_id_seed, {0, 65'535})}})},
      {"classes", read_classes},
  };
}

// toml++ 3.3 nests a table for each dot of a key without limit, and frees them by recursion.
// A key never spans lines, and ".." is never in one, so that a ruler of dots is no key.
std::optional<ConfigProblem> too_many_dots(std::string_view toml) {
  std::uint32_t line = 1, column = 0;
  std::size_t dots = 0;
  char previous = '\n';
  for (const char c : toml) {
    ++column;
    if (c == '.' && previous != '.' && ++dots > kMaxDotsPerLine)
      return ConfigProblem{
          line, column,
          "expected at most " + std::to_string(kMaxDotsPerLine) + " dots on a line, found more"};
    if (c == '\n') {
      ++line;
      column = 0;
      dots = 0;
    }
    if (c != ' ' && c != '\t') previous = c;
  }
  return std::nullopt;
}

// False where the file gives a size that was refused, so that `value` is still the default.
bool is_as_given(const toml::node_view<const toml::node>& given, std::uint64_t value) {
  if (const auto* text = given.as_string()) {
    const auto bytes = parse_size(text->get());
    return bytes && *bytes == value;
  }
  const auto* bytes = given.as_integer();
  return !given || (bytes != nullptr && std::cmp_equal(bytes->get(), value));
}

void check_segment(const Config::Retain& retain, const toml::table& root, Problems& problems) {
  const auto segment = root["retain"]["segment"];
  const auto budget = root["retain"]["budget"];
  if (retain.segment_bytes <= retain.budget_bytes) return;
  if (!is_as_given(segment, retain.segment_bytes) || !is_as_given(budget, retain.budget_bytes))
    return;
  // The defaults fit, so one of the two is in the file.
  problems.add(*(segment ? segment : budget).node(), "retain.segment",
               "expected at most the budget, " + size_text(retain.budget_bytes) + ", found " +
                   size_text(retain.segment_bytes) + (segment ? "" : ", the default"));
}

// Each worker has at least one set of each flow table.
void check_workers(const Config& config, const toml::table& root, Problems& problems) {
  const std::uint32_t slots = std::min(config.flow.slots_per_cpu, config.flow.ipv6_slots_per_cpu);
  const std::uint32_t sets = slots / NIDS_WAYS;
  const auto given = root["workers"];
  if (!given || config.workers <= sets) return;
  problems.add(*given.node(), "workers",
               "expected at most the sets of the smaller flow table, " + std::to_string(sets) +
                   " (" + std::to_string(slots) + " slots), found " +
                   std::to_string(config.workers));
}

}  // namespace

ConfigOutcome parse_config(std::string_view toml) {
  ConfigOutcome outcome{default_config(), {}};
  if (auto problem = too_many_dots(toml)) {
    outcome.problems.push_back(std::move(*problem));
    return outcome;
  }
  Problems problems;
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    constexpr std::size_t kDescriptionBytes = 400;
    problems.add(parsed.error().source().begin,
                 visible(parsed.error().description(), kDescriptionBytes));
  } else {
    ClassTable classes(outcome.config.classes);
    read_keys(parsed.table(), "", schema(outcome.config, classes), problems);
    classes.report_clashes(problems);
    check_segment(outcome.config.retain, parsed.table(), problems);
    check_workers(outcome.config, parsed.table(), problems);
  }
  outcome.problems = std::move(problems).in_file_order();
  return outcome;
}

}  // namespace nids
