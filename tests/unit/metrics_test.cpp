// SPDX-License-Identifier: Apache-2.0
// The counters in the Prometheus text format.
#include "report/metrics.hpp"

#include <gmock/gmock.h>

#include <array>

namespace nids {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

StatsReport report_named(const std::string& interface) {
  StatsReport report{.interface = interface, .mode = "tc"};
  report.classes.resize(2);
  report.classes[1] = {.name = "ssh"};
  report.counters.classes[1].flows = 3;
  report.counters.seen[NIDS_EGRESS] = {7, 700};
  return report;
}

std::string text_of(const StatsReport& report) { return metrics_text({&report, 1}); }

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Metrics, AFamilyIsThereOnceWithTheSamplesOfAllInterfaces) {
  const std::array reports{report_named("v0"), report_named("v1")};
  const std::string text = metrics_text(reports);
  EXPECT_THAT(text,
              HasSubstr("# HELP nids_xdp_seen_packets_total Packets on the wire.\n"
                        "# TYPE nids_xdp_seen_packets_total counter\n"
                        "nids_xdp_seen_packets_total{interface=\"v0\",direction=\"ingress\"} 0\n"
                        "nids_xdp_seen_packets_total{interface=\"v0\",direction=\"egress\"} 7\n"
                        "nids_xdp_seen_packets_total{interface=\"v1\",direction=\"ingress\"} 0\n"
                        "nids_xdp_seen_packets_total{interface=\"v1\",direction=\"egress\"} 7\n"
                        "# HELP "));
  for (const Counter& counter : counters())
    EXPECT_LE(occurrences(text, "# TYPE " + metric_name(counter) + " "), 1u);
}

TEST(Metrics, HaveTheClassesInUseAndTheirKindAndUnit) {
  const std::string text = text_of(report_named("v0"));
  EXPECT_THAT(text, HasSubstr("nids_xdp_class_flows_total{interface=\"v0\",class=\"ssh\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("nids_xdp_class_lost_packets_total{interface=\"v0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE nids_xdp_ring_pending_bytes gauge\n"));
  EXPECT_THAT(text, HasSubstr("nids_xdp_interface_info{interface=\"v0\",mode=\"tc\"} 1\n"));
}

TEST(Metrics, TimesAreInSecondsAndAbsentWhereTheyAreNotKnown) {
  StatsReport report = report_named("v0");
  EXPECT_THAT(text_of(report), Not(HasSubstr("_seconds")));
  report.since_ns = 1'795'341'600'012'345'678;
  report.now_ns = 10'250'000'000;
  report.agent_counters.heartbeat_ns = 10'000'000'000;
  report.agent_counters.sweep_ns = 1'500'000;
  EXPECT_THAT(text_of(report), HasSubstr("nids_xdp_attached_timestamp_seconds{interface=\"v0\"} "
                                         "1795341600.012345678\n"));
  EXPECT_THAT(text_of(report),
              HasSubstr("nids_xdp_agent_heartbeat_age_seconds{interface=\"v0\"} 0.250000000\n"));
  EXPECT_THAT(text_of(report),
              HasSubstr("nids_xdp_flow_table_sweep_seconds{interface=\"v0\"} 0.001500000\n"));
}

TEST(Metrics, AnInterfaceMayHaveAnyName) {
  EXPECT_THAT(text_of(report_named("a\"b\\c\nd\xff")),
              HasSubstr("{interface=\"a\\\"b\\\\c\\\\x0ad\xef\xbf\xbd\",mode="));
}

TEST(Metrics, WithoutInterfacesThereIsNothing) { EXPECT_EQ(metrics_text({}), ""); }

}  // namespace
}  // namespace nids
