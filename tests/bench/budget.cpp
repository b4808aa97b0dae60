// SPDX-License-Identifier: Apache-2.0
#include "budget.hpp"

#include <algorithm>
#include <string_view>

namespace nids::bench {
namespace {

constexpr std::string_view kHotPrefix = "hot.";
constexpr std::size_t kHotCases = 4;

const CaseResult* find_valid(const std::vector<CaseResult>& cases, std::string_view id) {
  const auto found = std::find_if(cases.begin(), cases.end(), [id](const CaseResult& one) {
    return one.id == id && one.problems.empty();
  });
  return found == cases.end() ? nullptr : &*found;
}

std::optional<double> net_of(const std::vector<CaseResult>& cases, std::string_view id,
                             std::string_view base = kPass) {
  const CaseResult* result = find_valid(cases, id);
  if (result == nullptr) return {};
  const auto net = result->net(kOurs, base);
  return net ? std::optional(net->median) : std::nullopt;
}

// The worst of all hot cases by `figure`; nothing unless all were measured.
template <class Figure>
std::optional<double> worst_hot(const std::vector<CaseResult>& cases, Figure figure) {
  std::optional<double> worst;
  std::size_t measured = 0;
  for (const CaseResult& one : cases) {
    if (!one.id.starts_with(kHotPrefix) || !one.problems.empty()) continue;
    const auto ours = one.net(kOurs);
    const auto hash = one.net(kHash);
    if (!ours || !hash) return {};
    worst = std::max(worst.value_or(0), figure(ours->median, hash->median));
    ++measured;
  }
  return measured == kHotCases ? worst : std::nullopt;
}

// Ours to another program of the same case, both net.
std::optional<double> ratio_of(const std::vector<CaseResult>& cases, std::string_view id,
                               std::string_view other) {
  const CaseResult* result = find_valid(cases, id);
  if (result == nullptr) return {};
  const auto ours = result->net(kOurs), theirs = result->net(other);
  if (!ours || !theirs) return {};
  return ours->median / std::max(theirs->median, 1.0);
}

}  // namespace

std::vector<Budget> check_budgets(const std::vector<CaseResult>& cases) {
  return {
      {"hot flow, the worst packet", "of HASH", 0.42,
       worst_hot(cases, [](double ours, double hash) { return ours / std::max(hash, 1.0); })},
      {"131,072 flows", "of one line", 1.4, ratio_of(cases, "random.131072.4x", kLine)},
      {"1,048,576 flows", "of one line", 1.4, ratio_of(cases, "random.1048576.4x", kLine)},
      {"new flow, 65,536 slots", "of HASH", 0.65, ratio_of(cases, "new.65536", kHash)},
      {"new flow, 1,048,576 slots", "of HASH", 0.8, ratio_of(cases, "new.1048576", kHash)},
      {"record of 128 bytes", "ns more", 100, net_of(cases, "record.128", kUnflagged)},
  };
}

}  // namespace nids::bench
