// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "report.hpp"

namespace nids::bench {
namespace {

using Json = nlohmann::ordered_json;

Json summary_json(const Summary& summary) {
  return {{"median", summary.median},
          {"low_quartile", summary.low},
          {"high_quartile", summary.high},
          {"min", summary.min},
          {"max", summary.max}};
}

Json counted_json(const Counted& counted) {
  return {{"seen", counted.seen},
          {"no_flow", counted.no_flow},
          {"unaccounted", counted.unaccounted},
          {"flows_created", counted.flows_created},
          {"flows_exported", counted.flows_exported},
          {"records", counted.records},
          {"records_lost", counted.records_lost}};
}

Json case_json(const CaseResult& result) {
  Json programs = Json::object();
  for (const Series& series : result.series) {
    Json one = summary_json(summarise(series.samples));
    one["samples"] = series.samples;
    if (series.name != kPass) {
      if (const auto net = result.net(series.name)) one["net"] = summary_json(*net);
      one["counted"] = counted_json(series.counted);
    }
    programs[series.name] = std::move(one);
  }
  return {{"id", result.id},
          {"title", result.title},
          {"valid", result.problems.empty()},
          {"problems", result.problems},
          {"notes", result.notes},
          {"programs", std::move(programs)}};
}

Json net_json(const CaseResult& result, std::string_view name) {
  const auto net = result.net(name);
  return net ? Json(net->median) : Json(nullptr);
}

std::string kernel_release() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "unknown";
}

}  // namespace

std::string json_of(const Settings& settings, const std::vector<CaseResult>& cases,
                    const std::vector<Budget>& budgets) {
  Json document{{"unit", "ns a packet"},
                {"kernel", kernel_release()},
                {"runs", settings.runs},
                {"quick", settings.is_quick},
                {"cpu", settings.cpu}};
  document["cases"] = Json::array();
  for (const CaseResult& result : cases) document["cases"].push_back(case_json(result));
  document["curve"] = Json::array();
  for (const CurvePoint& point : curve_of(cases))
    document["curve"].push_back({{"flows", point.flows},
                                 {"ours_net", net_json(*point.result, kOurs)},
                                 {"hash_net", net_json(*point.result, kHash)},
                                 {"valid", point.result->problems.empty()}});
  document["budgets"] = Json::array();
  for (const Budget& budget : budgets)
    document["budgets"].push_back({{"name", budget.name},
                                   {"unit", budget.unit},
                                   {"limit", budget.limit},
                                   {"figure", budget.figure ? Json(*budget.figure) : Json(nullptr)},
                                   {"met", budget.figure ? Json(budget.met()) : Json(nullptr)}});
  return document.dump(2) + "\n";
}

}  // namespace nids::bench
