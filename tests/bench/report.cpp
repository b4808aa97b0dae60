// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

namespace nids::bench {
namespace {

constexpr int kBarWidth = 40;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string number(const std::optional<double>& value) {
  return value ? format("%.1f", *value) : "-";
}

std::optional<double> net_median(const CaseResult& result, std::string_view name) {
  const auto net = result.net(name);
  return net ? std::optional(net->median) : std::nullopt;
}

std::string range(const CaseResult& result) {
  const auto net = result.net(kOurs);
  return net ? format("%.1f-%.1f", net->low, net->high) : "-";
}

std::optional<double> median_of(const CaseResult& result, std::string_view name) {
  const Series* series = result.find(name);
  return series != nullptr ? std::optional(summarise(series->samples).median) : std::nullopt;
}

std::string bar(double value, double largest, char mark) {
  const double share = largest > 0 ? std::clamp(value / largest, 0.0, 1.0) : 0;
  return std::string(static_cast<std::size_t>(share * kBarWidth + 0.5), mark);
}

}  // namespace

void print_heading(std::ostream& out, const Settings& settings) {
  out << "ns a packet, median of all samples of " << settings.runs << " runs on CPU "
      << settings.cpu << (settings.is_quick ? ", a tenth of the packets" : "")
      << "; net is less XDP_PASS\n\n"
      << format("%-38s %7s %13s %8s %8s %7s %7s\n", "case", "ours", "(quartiles)", "HASH", "LRU",
                "PASS", "ours")
      << format("%-38s %7s %13s %8s %8s %7s %7s\n", "", "net", "net", "net", "net", "whole",
                "whole");
}

void print_case(std::ostream& out, const CaseResult& result) {
  out << format("%-38s %7s %13s %8s %8s %7s %7s%s\n", result.title.c_str(),
                number(net_median(result, kOurs)).c_str(), range(result).c_str(),
                number(net_median(result, kHash)).c_str(), number(net_median(result, kLru)).c_str(),
                number(median_of(result, kPass)).c_str(), number(median_of(result, kOurs)).c_str(),
                result.problems.empty() ? "" : "  INVALID");
  for (const std::string& problem : result.problems) out << "    invalid: " << problem << '\n';
  for (const std::string& note : result.notes) out << "    " << note << '\n';
  out.flush();
}

std::vector<CurvePoint> curve_of(const std::vector<CaseResult>& cases) {
  std::vector<CurvePoint> curve;
  for (const CaseResult& result : cases) {
    std::uint32_t flows = 0, slots = 0;
    if (std::sscanf(result.id.c_str(), "random.%u.%ux", &flows, &slots) == 2 && slots == 4)
      curve.push_back({flows, &result});
  }
  return curve;
}

void print_curve(std::ostream& out, const std::vector<CaseResult>& cases) {
  const auto curve = curve_of(cases);
  if (curve.empty()) return;
  double largest = 0;
  for (const CurvePoint& point : curve)
    for (const std::string_view name : {kOurs, kHash})
      largest = std::max(largest, net_median(*point.result, name).value_or(0));
  out << "\nns net by number of flows, 4 slots each\n";
  for (const CurvePoint& point : curve) {
    const double ours = net_median(*point.result, kOurs).value_or(0);
    const double hash = net_median(*point.result, kHash).value_or(0);
    const char* valid = point.result->problems.empty() ? "" : "  INVALID";
    out << format("%9u  ours %7.1f %s%s\n", point.flows, ours, bar(ours, largest, '#').c_str(),
                  valid)
        << format("%9s  HASH %7.1f %s\n", "", hash, bar(hash, largest, '=').c_str());
  }
}

void print_budgets(std::ostream& out, const std::vector<Budget>& budgets) {
  out << "\nbudgets\n";
  for (const Budget& budget : budgets) {
    const char* word = !budget.figure ? "no figure" : budget.met() ? "met" : "missed";
    const int digits = budget.limit < 10 ? 2 : 1;
    out << format("  %-38s %-12s", budget.name.c_str(), word);
    if (budget.figure) out << format(" %.*f,", digits, *budget.figure);
    out << format(" at most %.*f %s\n", digits, budget.limit, budget.unit.c_str());
  }
}

}  // namespace nids::bench
