// SPDX-License-Identifier: Apache-2.0
#include "verdict.hpp"

#include <array>
#include <cstdio>
#include <string>

namespace nids::bench {
namespace {

std::string percent_of(std::uint64_t part, std::uint64_t whole) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%",
                100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text.data();
}

void expect(CaseResult& result, const Series& series, const char* what, std::uint64_t is,
            std::uint64_t should_be) {
  if (is != should_be)
    result.problems.push_back(series.name + ": " + what + " " + std::to_string(is) +
                              ", should be " + std::to_string(should_be));
}

// True of every program and packet here.
void expect_counted(CaseResult& result, const Series& series, std::uint64_t packets) {
  expect(result, series, "packets seen", series.counted.seen, packets);
  expect(result, series, "packets without a flow", series.counted.no_flow, 0);
  expect(result, series, "records lost", series.counted.records_lost, 0);
}

void expect_no_loss(CaseResult& result, const Series& series, std::uint64_t packets) {
  expect_counted(result, series, packets);
  expect(result, series, "packets unaccounted", series.counted.unaccounted, 0);
}

void note_net(CaseResult& result, const char* what, std::string_view name, std::string_view base) {
  const auto net = result.net(name, base);
  if (!net) return;
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%s %.1f ns (%.1f to %.1f)", what, net->median, net->low,
                net->high);
  result.notes.emplace_back(text.data());
}

}  // namespace

void judge_known_flows(CaseResult& result, std::uint64_t packets) {
  for (const Series& series : result.series) {
    if (series.name == kPass) continue;
    if (series.name == kLine) {
      note_net(result, "one cache line among as many slots:", kLine, kPass);
      continue;
    }
    expect_no_loss(result, series, packets);
    if (series.name == kHash)
      expect(result, series, "flows not in the table", series.counted.flows_created, 0);
    else if (series.name == kParse)
      note_net(result, "parse and its counters alone:", kParse, kPass);
    else if (series.counted.flows_created != 0)
      result.notes.push_back(series.name + ": " +
                             percent_of(series.counted.flows_created, packets) +
                             " of packets met a flow that had been evicted");
  }
}

void judge_new_flows(CaseResult& result, std::uint64_t packets) {
  for (const Series& series : result.series) {
    if (series.name == kPass) continue;
    const Counted& counted = series.counted;
    if (series.name == kHash) {
      expect_counted(result, series, packets);
      expect(result, series, "refused inserts", counted.unaccounted, packets);
      result.notes.push_back("hash: the time of an insert that is refused; the table is full");
      continue;
    }
    expect_no_loss(result, series, packets);
    expect(result, series, "new flows", counted.flows_created, packets);
    if (series.name == kOurs)
      expect(result, series, "flows exported", counted.flows_exported, packets);
  }
}

void judge_records(CaseResult& result, std::uint64_t packets) {
  for (const Series& series : result.series) {
    if (series.name == kPass) continue;
    expect_no_loss(result, series, packets);
    expect(result, series, "records", series.counted.records, series.name == kOurs ? packets : 0);
  }
  note_net(result, "a record adds", kOurs, kUnflagged);
}

}  // namespace nids::bench
