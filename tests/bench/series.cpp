// SPDX-License-Identifier: Apache-2.0
#include "series.hpp"

#include <algorithm>
#include <functional>

namespace nids::bench {

namespace {

// Between the two samples that it falls between; `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Summary summarise(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  return {.median = quantile(samples, 0.5),
          .low = quantile(samples, 0.25),
          .high = quantile(samples, 0.75),
          .min = samples.front(),
          .max = samples.back()};
}

const Series* CaseResult::find(std::string_view name) const {
  const auto found = std::find_if(series.begin(), series.end(),
                                  [name](const Series& one) { return one.name == name; });
  return found == series.end() ? nullptr : &*found;
}

std::optional<Summary> CaseResult::net(std::string_view name, std::string_view base) const {
  const Series* whole = find(name);
  const Series* part = find(base);
  if (whole == nullptr || part == nullptr) return {};
  std::vector<double> difference(whole->samples.size());
  std::transform(whole->samples.begin(), whole->samples.end(), part->samples.begin(),
                 difference.begin(), std::minus<>{});
  return summarise(std::move(difference));
}

}  // namespace nids::bench
