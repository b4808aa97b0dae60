// SPDX-License-Identifier: Apache-2.0
#include "report/metrics.hpp"

#include <spdlog/fmt/fmt.h>

#include "decode/printable.hpp"

namespace nids {
namespace {

// Valid UTF-8 without line breaks, escaped for a label value.
std::string label_value(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string number_text(std::uint64_t number, Unit unit) {
  constexpr std::uint64_t kSecond_ns = 1'000'000'000;
  return unit == Unit::kSeconds ? fmt::format("{}.{:09}", number / kSecond_ns, number % kSecond_ns)
                                : std::to_string(number);
}

std::string samples_text(const Counter& counter, const StatsReport& report) {
  std::string text;
  for (const Value& value : counter.read(report)) {
    text += metric_name(counter) + "{interface=\"" + label_value(report.interface) + '"';
    if (!value.label.empty())
      text += fmt::format(",{}=\"{}\"", counter.label, label_value(value.label));
    text += "} " + number_text(value.number, counter.unit) + '\n';
  }
  return text;
}

}  // namespace

std::string metric_header(std::string_view name, std::string_view help, Kind kind) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help,
                     kind == Kind::kCounter ? "counter" : "gauge");
}

std::string metrics_text(std::span<const StatsReport> reports) {
  std::string text;
  for (const Counter& counter : counters()) {
    if (counter.metric.empty()) continue;
    std::string samples;
    for (const StatsReport& report : reports) samples += samples_text(counter, report);
    if (!samples.empty())
      text += metric_header(metric_name(counter), counter.help, counter.kind) + samples;
  }
  return text;
}

}  // namespace nids
