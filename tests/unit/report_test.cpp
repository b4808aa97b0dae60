// SPDX-License-Identifier: Apache-2.0
// The counters as text and JSON, the ledger, and the list of counters, which has each field of the
// ABI.
#include "report/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "report/counters.hpp"

namespace nids {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

// Returns a struct of 64-bit words with a different value in each.
template <class T>
T numbered(std::uint64_t first) {
  std::array<std::uint64_t, sizeof(T) / kWord> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = first + i;
  return std::bit_cast<T>(words);
}

// The counts of a class that is not in use are 0.
StatsReport numbered_report() {
  StatsReport report{.interface = "v0",
                     .mode = "native",
                     .since_ns = 1'795'341'600'123'456'789,
                     .agent = true,
                     .counters = numbered<nids_counters>(1000),
                     .agent_counters = numbered<nids_agent_counters>(5000),
                     .slots = 77};
  report.classes.resize(NIDS_CLASS_MAX);
  report.classes[1] = {.name = "ssh", .interest = NIDS_INTEREST_INSPECT};
  report.classes[2] = {.name = "web", .interest = NIDS_INTEREST_COUNT};
  std::fill(std::begin(report.counters.classes) + 3, std::end(report.counters.classes),
            nids_class_sum{});
  return report;
}

std::string without_newlines(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST(Report, TheJsonOfEachCounterStaysWhatItIs) {
  EXPECT_EQ(stats_json(numbered_report()).dump(), without_newlines(R"(
{"interface":"v0","mode":"native","attached_since":"2026-11-22T10:00:00.123456+0000",
"agent":true,"ingress":{"packets":1001,"bytes":1002},"egress":{"packets":1003,"bytes":1004},
"parse":{"ok":1005,"truncated":1006,"unavailable":1007,"bad_header":1008,"bad_length":1009,
"later_fragment":1010,"too_many_tags":1011,"too_many_extensions":1012,"not_ip":1013,"mpls":1014,
"pppoe":1015,"geneve":1016},"network":{"ipv4":1017,"ipv6":1018,"arp":1019,"other":1020},
"transport":{"tcp":1021,"udp":1022,"icmp":1023,"icmpv6":1024,"sctp":1025,"igmp":1026,
"fragment":1027,"other":1028},"classes":{"ssh":{"flows":1056,"packets":1057,"bytes":1058,
"lost":1059,"lost_bytes":1060},"web":{"flows":1061,"packets":1062,"bytes":1063,"lost":1064,
"lost_bytes":1065}},"tunnels":{"gre":1030,"ip":1031,"vxlan":1032},"findings":{"land":1033,
"xmas":1034,"null":1035,"syn_fin":1036,"syn_rst":1037,"port_zero":1038,"smurf":1039,
"ping_of_death":1040,"syn_multicast":1041,"source_route":1042,"rh0":1043,"tiny_fragment":1044,
"overlapping_fragment":1045,"bad_options":1046,"bad_length":1047,"bad_header":1048,
"truncated":1049,"too_many_headers":1050},"verdict":{"pass":596,"drop":1408},
"flow_table":{"slots":77,"live":18446744073709551615,"created":1379,"exported":1380,
"cells_replaced":1403,"fragments_replaced":1404,"gso_headers_unknown":1405,"commands":5038,
"sweep_ns":5058},
"agent_table":{"flows":5035,"flows_evicted":5036,"suppressions_evicted":5037,
"slots_waiting":5042},"hosts":{"flows_merged":5054,"flows_lost":5055,"alerts_lost":5056,
"evictions":5057},"flow_records":{"told":5039,"ipfix_sent":5040,"ipfix_lost":5041},
"ring":{"offered":1385,"consumed":5004,"lost":11152,"pending":0,"offered_bytes":1386,
"consumed_bytes":5005,"lost_bytes":11160,"pending_bytes":0,"invalid":5006,
"lost_by_reason":{"capture":{"packets":1387,"bytes":1388},"inspect":{"packets":1389,
"bytes":1390},"identify":{"packets":1391,"bytes":1392},"finding":{"packets":1393,"bytes":1394},
"headers":{"packets":1395,"bytes":1396},"flow_export":{"packets":1397,"bytes":1398},
"handshake":{"packets":1399,"bytes":1400}},"copy_failed":1401,"first_packets_withheld":1407},
"retained":{"packets":5012,"bytes":5013,"held":5022,"not_kept_by_policy":7778,
"beyond_depth":1381,"not_sampled":1383,"not_analysed":5043,"not_analysed_bytes":5044,
"lost_by_overload":11973,"waiting":0,"lost_by_error":5016,"deleted_by_policy":5020},
"alerts":{"total":15027,"suppressed":5011,"not_indexed":5026,"deleted_by_policy":5027,
"by_severity":{"1":5008,"2":5009,"3":5010},"eve_lines":5032,"eve_lost":5033,"lines_lost":5051,
"eve_files_removed":5034},"ledger":{"seen":2004,"live":1371,"exported":1373,"unaccounted":1375,
"no_flow":1377,"dropped":1408,"seen_bytes":2006,"live_bytes":1372,"exported_bytes":1374,
"unaccounted_bytes":1376,"no_flow_bytes":1378,"dropped_bytes":1409,"balanced":false}}
)"));
}

TEST(Report, WithoutClassesTheJsonHasAnEmptyObject) {
  EXPECT_EQ(stats_json({}).at("classes").dump(), "{}");
}

TEST(Report, TheTextOfEachCounterStaysWhatItIs) {
  EXPECT_EQ(stats_text(numbered_report()), R"(v0 (native), agent running
  in                              1001 packets             1002 bytes
  out                             1003 packets             1004 bytes
  parse     ok 1005, truncated 1006, unavailable 1007, bad_header 1008, bad_length 1009, later_fragment 1010, too_many_tags 1011, too_many_extensions 1012, not_ip 1013, mpls 1014, pppoe 1015, geneve 1016
  network   ipv4 1017, ipv6 1018, arp 1019, other 1020
  transport tcp 1021, udp 1022, icmp 1023, icmpv6 1024, sctp 1025, igmp 1026, fragment 1027, other 1028
  tunnel    none 1029, gre 1030, ip 1031, vxlan 1032
  findings  land 1033, xmas 1034, null 1035, syn_fin 1036, syn_rst 1037, port_zero 1038, smurf 1039, ping_of_death 1040, syn_multicast 1041, source_route 1042, rh0 1043, tiny_fragment 1044, overlapping_fragment 1045, bad_options 1046, bad_length 1047, bad_header 1048, truncated 1049, too_many_headers 1050
flagged
  ssh               1056 flows         1057 packets             1058 bytes
counted
  web               1061 flows         1062 packets             1063 bytes
ledger
  seen                            2004 packets             2006 bytes
  = live in flow table            1371 packets             1372 bytes
  + exported                      1373 packets             1374 bytes
  + unaccounted                   1375 packets             1376 bytes
  + no flow by nature             1377 packets             1378 bytes
  DOES NOT BALANCE
flows   18446744073709551615 live of 77 slots, 1379 created, 1380 exported, last scan 0.005 ms
ring    1385 offered, 5004 consumed, 11152 lost, 0 pending
alerts  15027 (severity 1: 5008, 2: 5009, 3: 5010), 5011 suppressed
kept    5012 packets, 5013 bytes; 5022 held until an alert, 7778 not kept by policy
deleted 5020 packets, 5021 bytes by the budget, earlier runs' included
left    5043 packets, 5044 bytes out of the analysis by --filter or --count
lost    records, ring full: 11152, packets without a slot: 1375, packets, disk: 5016, packets, disk too slow: 5018, EVE lines: 5033, lines that nobody read: 5051, flow records, collector: 5041, records refused: 5006, flows not seen by host analysers: 5055, alerts of host analysers: 5056
)");
}

TEST(Report, TheSummaryStaysWhatItIs) {
  EXPECT_EQ(summary_text(numbered_report()), R"(v0
seen    2004 packets, 2006 bytes; ledger DOES NOT BALANCE
flagged
  ssh               1056 flows         1057 packets             1058 bytes
counted
  web               1061 flows         1062 packets             1063 bytes
findings
  land 1033, xmas 1034, null 1035, syn_fin 1036, syn_rst 1037, port_zero 1038, smurf 1039, ping_of_death 1040, syn_multicast 1041, source_route 1042, rh0 1043, tiny_fragment 1044, overlapping_fragment 1045, bad_options 1046, bad_length 1047, bad_header 1048, truncated 1049, too_many_headers 1050
alerts  15027 (severity 1: 5008, 2: 5009, 3: 5010), 5011 suppressed
kept    5012 packets, 5013 bytes; 5022 held until an alert, 7778 not kept by policy
deleted 5020 packets, 5021 bytes by the budget, earlier runs' included
left    5043 packets, 5044 bytes out of the analysis by --filter or --count
lost    records, ring full: 11152, packets without a slot: 1375, packets, disk: 5016, packets, disk too slow: 5018, EVE lines: 5033, lines that nobody read: 5051, flow records, collector: 5041, records refused: 5006, flows not seen by host analysers: 5055, alerts of host analysers: 5056
)");
}

StatsReport balanced_report() {
  StatsReport report;
  report.counters.seen[NIDS_INGRESS] = {10, 1000};
  report.counters.seen[NIDS_EGRESS] = {5, 500};
  report.counters.live = {11, 1100};
  report.counters.exported = {2, 200};
  report.counters.unaccounted = {1, 100};
  report.counters.no_flow = {1, 100};
  report.pending = nids_sum{};
  return report;
}

TEST(Ledger, BalancesInPacketsAndInBytes) {
  StatsReport report = balanced_report();
  EXPECT_EQ(is_balanced(report), true);
  report.counters.live.bytes += 1;
  EXPECT_EQ(is_balanced(report), false);
  report = balanced_report();
  report.counters.seen[NIDS_EGRESS].packets += 1;
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, BalancesOnlyWhereEachRecordIsAccountedFor) {
  StatsReport report = balanced_report();
  report.counters.ring_offered = {10, 1000};
  report.counters.ring_lost[NIDS_REASON_CAPTURE] = {2, 200};
  report.counters.copy_failed = {1, 100};
  report.agent_counters.consumed = {4, 400};
  report.pending = nids_sum{3, 300};
  EXPECT_EQ(is_balanced(report), true);
  EXPECT_EQ(stats_json(report)["ledger"]["balanced"], true);
  report.pending = nids_sum{2, 300};
  EXPECT_EQ(is_balanced(report), false);
  EXPECT_EQ(stats_json(report)["ledger"]["balanced"], false);
  report.pending = nids_sum{3, 299};
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, IsNotSaidToBalanceWhereTheRingIsNotKnown) {
  StatsReport report = balanced_report();
  report.pending.reset();
  EXPECT_EQ(is_balanced(report), std::nullopt);
  EXPECT_TRUE(stats_json(report)["ledger"]["balanced"].is_null());
  EXPECT_NE(stats_text(report).find("balance not known"), std::string::npos);
  EXPECT_EQ(stats_text(report).find("  balanced"), std::string::npos);
  report.counters.live.packets += 1;
  EXPECT_EQ(is_balanced(report), false) << "what is wrong is known all the same";
}

TEST(Ledger, DoesNotBalanceWhereTheSlotsHoldSomethingElse) {
  StatsReport report = balanced_report();
  report.scan_agrees = false;
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, EachKindOfLossIsALoss) {
  StatsReport report;
  EXPECT_FALSE(has_losses(report));
  const auto with = [&](auto change) {
    StatsReport changed = report;
    change(changed);
    return has_losses(changed);
  };
  EXPECT_TRUE(with([](auto& r) { r.counters.ring_lost[NIDS_RECORD_PACKET].packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.counters.copy_failed.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.counters.unaccounted.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.not_kept_by_error.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.eve_lost = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.invalid_records = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.host_flows_lost = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.host_alerts_lost = 1; }));
}

TEST(Ledger, RecordsLeftInTheRingAreLostOnceNobodyTakesThem) {
  StatsReport report;
  report.counters.ring_offered = {3, 300};
  report.agent_counters.consumed = {1, 100};
  EXPECT_FALSE(has_losses(report)) << "an agent may still take them";
  report.is_final = true;
  EXPECT_TRUE(has_losses(report));
  EXPECT_NE(summary_text(report).find("lost    2 records unread\n"), std::string::npos)
      << summary_text(report);
}

StatsReport classes_report() {
  StatsReport report = balanced_report();
  report.classes.resize(3);
  report.classes[1] = {.name = "ssh", .interest = NIDS_INTEREST_INSPECT};
  report.classes[2] = {.name = "telnet", .interest = NIDS_INTEREST_COUNT};
  report.counters.classes[1] = {.flows = 1, .packets = 1, .bytes = 60, .lost = {}};
  report.counters.classes[2] = {.flows = 2, .packets = 3, .bytes = 180, .lost = {}};
  return report;
}

TEST(Summary, TellsFlaggedFromCounted) {
  const StatsReport report = classes_report();
  for (const std::string& text : {summary_text(report), stats_text(report)}) {
    const auto flagged = text.find("flagged\n  ssh ");
    const auto counted = text.find("\ncounted\n  telnet ");
    EXPECT_NE(flagged, std::string::npos) << text;
    EXPECT_NE(counted, std::string::npos) << text;
    EXPECT_LT(flagged, counted);
  }
}

TEST(Summary, OneIsSingularAndColumnsStandBelowEachOther) {
  const std::string text = summary_text(classes_report());
  EXPECT_NE(text.find("1 flow             1 packet                60 bytes\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("2 flows            3 packets              180 bytes\n"), std::string::npos);
}

TEST(Summary, FindingsStandByThemselves) {
  StatsReport report = classes_report();
  EXPECT_EQ(summary_text(report).find("findings"), std::string::npos);
  report.counters.findings[NIDS_FINDING_XMAS] = 6;
  report.counters.findings[NIDS_FINDING_NULL] = 3;
  EXPECT_NE(summary_text(report).find("\nfindings\n  xmas 6, null 3\n"), std::string::npos);
}

TEST(Summary, SaysWhatWasLeftOut) {
  StatsReport report = classes_report();
  EXPECT_EQ(summary_text(report).find("out of the analysis"), std::string::npos);
  report.agent_counters.not_analysed = {2, 120};
  EXPECT_NE(summary_text(report).find("left    2 packets, 120 bytes out of the analysis"),
            std::string::npos);
  EXPECT_EQ(stats_json(report).at("retained").at("not_analysed"), 2);
}

TEST(Summary, SaysWhatWasDeletedOfThatWhichWasKept) {
  StatsReport report = classes_report();
  report.agent_counters.retained = {3899, 400'000};
  EXPECT_EQ(summary_text(report).find("deleted"), std::string::npos);
  report.agent_counters.deleted_by_policy = {0, 4096};  // a file of an earlier run
  EXPECT_NE(
      summary_text(report).find("\ndeleted 4096 bytes by the budget, earlier runs' included\n"),
      std::string::npos);
  report.agent_counters.deleted_by_policy = {3186, 300'000};
  const std::string text = summary_text(report);
  EXPECT_NE(text.find("\nkept    3899 packets, 400000 bytes; "), std::string::npos) << text;
  EXPECT_NE(text.find("\ndeleted 3186 packets, 300000 bytes by the budget, "), std::string::npos);
}

TEST(Summary, SaysThatRetentionIsOff) {
  StatsReport report = classes_report();
  EXPECT_NE(summary_text(report).find("kept    0 packets"), std::string::npos);
  report.keeps_packets = false;
  EXPECT_NE(summary_text(report).find("kept    nothing; retention off\n"), std::string::npos);
}

TEST(StatsJson, HasTheKeysThatScriptsReadAndAddsUp) {
  StatsReport report = balanced_report();
  report.interface = "v0";
  report.counters.parse[NIDS_PARSE_OK] = 14;
  report.counters.parse[NIDS_PARSE_TRUNCATED] = 1;
  const auto json = stats_json(report);

  for (const char* key : {"interface", "mode", "attached_since", "agent", "ingress", "egress",
                          "parse", "network", "transport", "classes", "findings", "verdict",
                          "flow_table", "ring", "retained", "alerts", "ledger"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json.at("parse").at("ok"), 14);
  EXPECT_EQ(json.at("ledger").at("seen"), 15);
  EXPECT_EQ(json.at("ledger").at("balanced"), true);
  EXPECT_EQ(json.at("verdict").at("pass"), 15);
}

struct LeftOut {
  std::size_t offset, bytes;
  const char* reason;
};

#define NIDS_LEFT_OUT(type, field, reason) \
  { offsetof(type, field), sizeof(type::field), reason }

const std::vector<LeftOut> kLeftOutOfKernel{
    NIDS_LEFT_OUT(nids_counters, started, "brackets a consistent copy"),
    NIDS_LEFT_OUT(nids_counters, finished, "brackets a consistent copy"),
    NIDS_LEFT_OUT(nids_counters, reserved, "unused"),
    {offsetof(nids_counters, tunnel) + kWord * NIDS_TUNNEL_NONE, kWord, "never counted"},
    {offsetof(nids_counters, classes) + offsetof(nids_class_sum, flows),
     offsetof(nids_class_sum, lost), "flows of no class are not counted here"},
};

const std::vector<LeftOut> kLeftOutOfAgent{
    NIDS_LEFT_OUT(nids_agent_counters, pid, "an identity"),
    NIDS_LEFT_OUT(nids_agent_counters, pid_start_ticks, "an identity"),
    NIDS_LEFT_OUT(nids_agent_counters, pid_namespace, "an identity"),
    NIDS_LEFT_OUT(nids_agent_counters, reader_pid, "an identity"),
    NIDS_LEFT_OUT(nids_agent_counters, reader_start_ticks, "an identity"),
    NIDS_LEFT_OUT(nids_agent_counters, detach_requested, "a request"),
    {offsetof(nids_agent_counters, alerts_by_severity), kWord, "severities are 1 to 3"},
    NIDS_LEFT_OUT(nids_agent_counters, ring_lost_noted, "repeats ring_lost"),
    NIDS_LEFT_OUT(nids_agent_counters, ring_lost_ns, "when ring_lost rose is in its history"),
    NIDS_LEFT_OUT(nids_agent_counters, reserved, "unused"),
};

bool is_left_out(const std::vector<LeftOut>& list, std::size_t offset) {
  return std::ranges::any_of(list, [=](const LeftOut& one) {
    return offset >= one.offset && offset < one.offset + one.bytes;
  });
}

// Everything that metrics show.
std::vector<std::string> metric_values(const StatsReport& report) {
  std::vector<std::string> all;
  for (const Counter& counter : counters())
    if (!counter.metric.empty())
      for (const Value& value : counter.read(report))
        all.push_back(metric_name(counter) + ' ' + value.label + ' ' +
                      std::to_string(value.number));
  return all;
}

// An interface that has counted nothing, with every class in use.
StatsReport empty_report() {
  StatsReport report{.now_ns = 1'000'000'000};
  report.classes.assign(NIDS_CLASS_MAX, {.name = "used"});
  report.classes[0].name[0] = '\0';
  return report;
}

template <class T>
void expect_each_word_in_a_metric(T StatsReport::*counters_of, const std::vector<LeftOut>& list) {
  constexpr std::uint64_t kEachFlag = 0x1f;
  const auto before = metric_values(empty_report());
  for (std::size_t offset = 0; offset < sizeof(T); offset += kWord) {
    StatsReport report = empty_report();
    auto words = std::bit_cast<std::array<std::uint64_t, sizeof(T) / kWord>>(report.*counters_of);
    words[offset / kWord] = kEachFlag;
    report.*counters_of = std::bit_cast<T>(words);
    EXPECT_NE(metric_values(report) != before, is_left_out(list, offset))
        << "the field at byte " << offset
        << " must be in a metric of user/report, or be left out here with a reason";
  }
}

TEST(Counters, EachFieldOfTheKernelIsInAMetric) {
  expect_each_word_in_a_metric(&StatsReport::counters, kLeftOutOfKernel);
}

TEST(Counters, EachFieldOfTheAgentIsInAMetric) {
  expect_each_word_in_a_metric(&StatsReport::agent_counters, kLeftOutOfAgent);
}

TEST(Counters, EachIsExplainedAndNamedOnce) {
  std::set<std::string> names, keys;
  for (const Counter& counter : counters()) {
    const std::string name = metric_name(counter) + std::string(counter.json);
    EXPECT_FALSE(counter.metric.empty() && counter.json.empty()) << name;
    EXPECT_TRUE(counter.help.ends_with('.')) << name;
    EXPECT_TRUE(counter.metric.empty() || names.insert(metric_name(counter)).second) << name;
    EXPECT_TRUE(counter.json.empty() || keys.insert(std::string(counter.json)).second) << name;
  }
}

}  // namespace
}  // namespace nids
