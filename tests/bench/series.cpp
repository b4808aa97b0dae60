// SPDX-License-Identifier: Apache-2.0
#include "series.hpp"

#include <algorithm>
#include <functional>

namespace nids::bench {

Summary summarise(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const std::size_t half = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
  return {.median = median, .min = samples.front(), .max = samples.back()};
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
