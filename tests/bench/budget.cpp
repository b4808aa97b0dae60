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

}  // namespace

std::vector<Budget> check_budgets(const std::vector<CaseResult>& cases) {
  return {
      {"hot flow, the dearest packet", "ns net", 20,
       worst_hot(cases, [](double ours, double) { return ours; })},
      {"hot flow, to HASH, the worst packet", "of HASH", 0.5,
       worst_hot(cases, [](double ours, double hash) { return ours / std::max(hash, 1.0); })},
      {"131,072 flows", "ns net", 90, net_of(cases, "random.131072.4x")},
      {"1,048,576 flows", "ns net", 160, net_of(cases, "random.1048576.4x")},
      {"new flow, 65,536 slots", "ns net", 140, net_of(cases, "new.65536")},
      {"new flow, 1,048,576 slots", "ns net", 280, net_of(cases, "new.1048576")},
      {"record of 128 bytes", "ns more", 100, net_of(cases, "record.128", kUnflagged)},
  };
}

}  // namespace nids::bench
