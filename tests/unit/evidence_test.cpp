// SPDX-License-Identifier: Apache-2.0
// Store, index and repair together: what was kept is found again, whatever happened in between.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "firstpass/twin.h"
#include "nids/sum.hpp"
#include "retain/rebuild.hpp"
#include "retain/store.hpp"
#include "support/open_index.hpp"
#include "support/packet_builder.hpp"
#include "support/refusal.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kStart = 1'795'341'600'000'000'000;  // 2026-11-22T10:00:00 UTC

// What an index says, whatever the pieces that it was told it in.
struct Found {
  std::map<std::pair<SegmentName, std::uint64_t>, FlowSpan> spans;  // by segment and flow
  std::vector<IndexedAlert> alerts;
  bool operator==(const Found&) const = default;
};

Found found_in(const Index& index) {
  Found found;
  EXPECT_TRUE(index.spans({}, [&](const FlowSpan& span) {
    auto [place, is_new] = found.spans.try_emplace({span.segment, span.flow.id}, span);
    FlowSpan& whole = place->second;
    EXPECT_EQ(whole.flow, span.flow);
    if (is_new) return true;
    whole.first = std::min(whole.first, span.first);
    whole.last = std::max(whole.last, span.last);
    whole.bytes += span.bytes;
    whole.offsets.insert(whole.offsets.end(), span.offsets.begin(), span.offsets.end());
    std::sort(whole.offsets.begin(), whole.offsets.end());
    return true;
  }));
  EXPECT_TRUE(index.alerts({}, [&](const IndexedAlert& alert) {
    found.alerts.push_back(alert);
    return true;
  }));
  return found;
}

class EvidenceTest : public ::testing::Test {
 protected:
  EvidenceTest() {
    std::string pattern = ::testing::TempDir() + "evidence.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    fd_ = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  ~EvidenceTest() override {
    ::close(fd_);
    fs::remove_all(directory_);
  }

  Store open(const Store::Limits& limits = {.min_free_share = 0}) {
    auto store = Store::open(fd_, directory_, {{1, {.name = "eth0", .description = ""}}}, limits);
    EXPECT_TRUE(store);
    auto repaired = store->start();
    EXPECT_TRUE(repaired) << repaired.error().message();
    if (repaired) repaired_ = *repaired;
    return std::move(*store);
  }
  Index reader() const {
    auto index = open_index(directory_, Index::Access::kRead);
    EXPECT_TRUE(index) << index.error().message();
    return std::move(*index);
  }

  static KeptFlow flow(std::uint16_t number) {
    KeptFlow flow{.id = 1000u + number,
                  .community_id = "1:flow" + std::to_string(number),
                  .ends = {},
                  .class_name = number % 2 == 0 ? "ssh" : ""};
    flow.ends.ip_version = 4;
    flow.ends.l4_proto = 6;
    flow.ends.client_port = static_cast<std::uint16_t>(10'000 + number);
    flow.ends.server_port = 22;
    return flow;
  }
  static OwnedPacket packet(std::uint16_t number, std::size_t payload) {
    OwnedPacket packet;
    packet.ifindex = 1;
    packet.own(PacketBuilder{}
                   .eth()
                   .ipv4()
                   .tcp({.src_port = static_cast<std::uint16_t>(10'000 + number), .dst_port = 22})
                   .payload_bytes(payload)
                   .bytes());
    packet.frame_len = packet.wire_len = static_cast<std::uint32_t>(packet.bytes.size());
    return packet;
  }
  static KeptAlert alert(std::uint16_t number) {
    return {.id = 0,
            .time = {kStart + number},
            .signature_id = {.sid = 1001},
            .severity = 2,
            .signature = "SSH connection",
            .flow = flow(number),
            .record = R"({"alert":{"x":1},"flow":{"y":2}})"};
  }

  std::optional<PacketPlace> keep(Store& store, std::uint16_t number, std::uint8_t severity,
                                  bool has_alert, std::size_t payload = 100) {
    OwnedPacket one = packet(number, payload);
    one.time = {kStart + ++now_ * 1'000'000};
    Store::Facts facts{.severity = severity,
                       .flow_id = 1000u + number,
                       .is_related = false,
                       .alerts = {},
                       .flow = [&] { return flow(number); }};
    if (has_alert) facts.alerts.push_back(alert(number));
    return store.keep(one, std::move(facts), counters_);
  }

  // Some traffic of 40 flows, with an alert now and then, in whatever severity.
  void keep_some(Store& store, int packets, std::mt19937& random) {
    for (int i = 0; i < packets; ++i)
      keep(store, random() % 40, static_cast<std::uint8_t>(random() % 4), random() % 50 == 0,
           random() % 900);
  }

  std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_))
      if (entry.path().extension() == ".pcapng") names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  // What the index knows is in the files, each packet of them once; and every alert is known.
  void check_index_knows_all(std::uint64_t alerts) const {
    const Found found = found_in(reader());
    std::uint64_t packets = 0, bytes = 0;
    std::map<std::string, std::uint64_t> sizes;
    for (const std::string& file : segments()) sizes[file] = fs::file_size(directory_ + "/" + file);
    for (const auto& [key, span] : found.spans) {
      packets += span.offsets.size();
      bytes += span.bytes;
      EXPECT_LT(span.offsets.back(), sizes[key.first.file()]);
    }
    EXPECT_EQ(packets, counters_.retained.packets);
    EXPECT_EQ(bytes, counters_.retained.bytes);
    EXPECT_EQ(found.alerts.size() + counters_.alerts_not_indexed, alerts);
    for (const IndexedAlert& alert : found.alerts)
      if (alert.place) {
        EXPECT_LT(alert.place->offset, sizes[alert.place->segment.file()]);
      }
  }

  std::string directory_;
  int fd_ = -1;
  std::uint64_t now_ = 0;
  nids_agent_counters counters_{};
  Repaired repaired_;
};

TEST_F(EvidenceTest, WhatWasKeptIsFoundByFlowAndByAlert) {
  Store store = open();
  for (int i = 0; i < 3; ++i) keep(store, 1, 0, false);
  keep(store, 1, 2, true);
  keep(store, 2, 0, false);
  store.settle(counters_);
  const Found found = found_in(reader());
  ASSERT_EQ(found.alerts.size(), 1u);
  EXPECT_EQ(found.alerts[0].alert.id, 1u);
  EXPECT_EQ(found.alerts[0].alert.flow, flow(1));
  EXPECT_EQ(found.alerts[0].place->segment.severity, 2);
  EXPECT_EQ(found.alerts[0].place->number, 1u);
  ASSERT_EQ(found.spans.size(), 3u);
  std::size_t of_flow_1 = 0;
  for (const auto& [key, span] : found.spans)
    if (key.second == 1001) of_flow_1 += span.offsets.size();
  EXPECT_EQ(of_flow_1, 4u);
  EXPECT_EQ(segments(), (std::vector<std::string>{"20261122T100000-000001.pcapng",
                                                  "20261122T100000-000002-s2.pcapng"}));
  EXPECT_EQ(counters_.store_oldest_wall_ns / 1'000'000'000, kStart / 1'000'000'000);
}

TEST_F(EvidenceTest, AnIndexMadeAnewSaysTheSame) {
  std::mt19937 random(1);
  {
    Store store = open({.segment_bytes = 100'000, .min_free_share = 0});
    for (int i = 0; i < 5; ++i) {
      keep_some(store, 1000, random);
      store.flush(counters_);
    }
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  ASSERT_GT(before.alerts.size(), 20u);
  ASSERT_GT(segments().size(), 10u);
  const auto rebuilt = rebuild_index(fd_, directory_);
  ASSERT_TRUE(rebuilt) << rebuilt.error().message();
  EXPECT_EQ(rebuilt->packets, 5000u);
  EXPECT_EQ(rebuilt->alerts, before.alerts.size());
  EXPECT_EQ(found_in(reader()), before);
}

TEST_F(EvidenceTest, AnIndexThatLacksTheEndIsCompleted) {
  std::mt19937 random(2);
  {
    Store store = open();
    keep_some(store, 500, random);
    store.settle(counters_);
    fs::copy(directory_ + "/" + kIndexFile, directory_ + "/copy");
    if (fs::exists(directory_ + "/" + kIndexFile + "-wal"))
      fs::copy(directory_ + "/" + kIndexFile + "-wal", directory_ + "/copy-wal");
    keep_some(store, 500, random);
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  const std::string index = directory_ + "/" + kIndexFile;
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(index + suffix);
  fs::rename(directory_ + "/copy", index);
  if (fs::exists(directory_ + "/copy-wal")) fs::rename(directory_ + "/copy-wal", index + "-wal");
  { Store store = open(); }
  EXPECT_GT(repaired_.packets, 0u);
  EXPECT_LT(repaired_.packets, 1000u);
  EXPECT_EQ(found_in(reader()), before);
}

TEST_F(EvidenceTest, AWriteThatWasBrokenOffIsCutToItsLastWholeBlock) {
  std::mt19937 random(3);
  {
    Store store = open();
    for (int i = 0; i < 200; ++i) keep(store, 1, 1, i == 0);
    store.finish(counters_);
  }
  const std::string file = directory_ + "/" + segments().front(), whole = directory_ + "/whole";
  const std::vector<std::uint64_t> offsets = found_in(reader()).spans.begin()->second.offsets;
  fs::copy_file(file, whole);
  for (int i = 0; i < 40; ++i) {
    fs::copy_file(whole, file, fs::copy_options::overwrite_existing);
    const auto cut = offsets[1] + random() % (fs::file_size(whole) - offsets[1]);
    fs::resize_file(file, cut);
    if (i % 2 == 0) fs::resize_file(file, cut + 5000);  // nought, as a power cut may leave it
    { Store store = open(); }
    const auto next = std::ranges::upper_bound(offsets, cut);
    ASSERT_EQ(fs::file_size(file), *std::prev(next)) << "cut at " << cut;
    const Found found = found_in(reader());
    ASSERT_EQ(found.spans.size(), 1u);
    EXPECT_EQ(found.spans.begin()->second.offsets, std::vector(offsets.begin(), std::prev(next)));
    EXPECT_EQ(found.alerts.size(), 1u);
  }
}

TEST_F(EvidenceTest, SegmentsThatSomebodyRemovedAreForgotten) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    keep(store, 1, 2, false);
    store.finish(counters_);
  }
  fs::remove(directory_ + "/" + segments().front());
  { Store store = open(); }
  EXPECT_EQ(repaired_.forgotten, 1u);
  const Found found = found_in(reader());
  EXPECT_EQ(found.spans.size(), 1u);
  ASSERT_EQ(found.alerts.size(), 1u) << "an alert outlives its packets";
  EXPECT_FALSE(found.alerts[0].place);
}

TEST_F(EvidenceTest, ADamagedSegmentStaysAsItIsAndIsKnownUpToThere) {
  {
    Store store = open();
    for (int i = 0; i < 100; ++i) keep(store, 1, 1, false);
    store.finish(counters_);
  }
  const std::string file = directory_ + "/" + segments().front();
  const auto size = fs::file_size(file);
  {
    std::fstream segment(file, std::ios::in | std::ios::out | std::ios::binary);
    segment.seekp(
        static_cast<std::streamoff>(found_in(reader()).spans.begin()->second.offsets[50]) + 4);
    segment.write("\x01\x00\x00\x00", 4);  // a block's length
  }
  const auto rebuilt = rebuild_index(fd_, directory_);
  ASSERT_TRUE(rebuilt);
  EXPECT_EQ(rebuilt->packets, 50u);
  EXPECT_EQ(rebuilt->damaged, std::vector<std::string>{segments().front()});
  EXPECT_EQ(fs::file_size(file), size);
  { Store store = open(); }
  EXPECT_EQ(repaired_.segments, 0u) << "it is not read again at each start";
}

TEST_F(EvidenceTest, AnIndexThatIsNoneIsPutAsideAndMadeAnew) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(directory_ + "/" + kIndexFile + suffix);
  std::ofstream(directory_ + "/" + kIndexFile) << std::string(5000, 'x');
  { Store store = open(); }
  EXPECT_EQ(found_in(reader()), before);
  EXPECT_TRUE(fs::exists(directory_ + "/" + kIndexFile + ".bad"));
}

TEST_F(EvidenceTest, ARepairThatIsEndedGoesOnAtTheNextStart) {
  {
    Store store = open();
    for (std::uint16_t i = 0; i < 10'000; ++i) keep(store, i % 40, 1, i == 9'999);
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  for (const char* suffix : {"", "-wal", "-shm"})
    fs::remove(directory_ + "/" + kIndexFile + suffix);
  std::uint64_t ended = 0;
  {
    auto store = Store::open(fd_, directory_, {{1, {.name = "eth0"}}}, {.min_free_share = 0});
    ASSERT_TRUE(store);
    const auto repaired = store->start([calls = 0]() mutable { return ++calls < 2; });
    ASSERT_TRUE(repaired);
    EXPECT_FALSE(repaired->is_whole);
    EXPECT_TRUE(store->index_is_lost()) << "the last alert's number is not known";
    ended = repaired->packets;
    EXPECT_GT(ended, 1'000u);
    EXPECT_LT(ended, 9'000u);
  }
  { Store store = open(); }
  EXPECT_TRUE(repaired_.is_whole);
  EXPECT_EQ(ended + repaired_.packets, 10'000u);
  const Found found = found_in(reader());
  EXPECT_EQ(found.alerts, before.alerts);
  std::size_t packets = 0;
  for (const auto& [key, span] : found.spans) packets += span.offsets.size();
  EXPECT_EQ(packets, 10'000u);
}

TEST_F(EvidenceTest, ASegmentWhoseHeadIsDamagedAfterwardsStaysThere) {
  {
    Store store = open();
    for (int i = 0; i < 100; ++i) keep(store, 1, 1, false);
    store.settle(counters_);
  }
  const std::string file = directory_ + "/" + segments().front();
  {  // It has grown since, as a kill leaves it, and its first block lies.
    std::fstream segment(file, std::ios::in | std::ios::out | std::ios::binary);
    segment.seekp(4);
    segment.write("\x01\x00\x00\x00", 4);
    segment.seekp(0, std::ios::end);
    segment.write("more", 4);
  }
  const auto size = fs::file_size(file);
  { Store store = open(); }
  ASSERT_TRUE(fs::exists(file));
  EXPECT_EQ(fs::file_size(file), size);
  EXPECT_EQ(repaired_.damaged, std::vector<std::string>{segments().front()});
}

TEST_F(EvidenceTest, WhatARepairCutsNoLongerCounts) {
  {
    Store store = open();
    keep(store, 1, 1, false);
    store.finish(counters_);
  }
  const std::string file = directory_ + "/" + segments().front();
  const auto size = fs::file_size(file);
  fs::resize_file(file, size + 1'000'000);
  Store store = open();
  store.flush(counters_);
  EXPECT_EQ(counters_.store_bytes, size);
}

TEST_F(EvidenceTest, ANewIndexThatIsDamagedIsBegunAgain) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  const std::string index = directory_ + "/" + kIndexFile;
  fs::rename(index, index + ".new");
  std::fstream(index + ".new", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(4096)
      .write(std::string(8192, 'x').data(), 8192);
  for (const char* beside : kBesideIndex) fs::remove(index + beside);
  { Store store = open(); }
  EXPECT_EQ(found_in(reader()), before);
}

// No file may get longer in its life.
class NoMoreBytes {
 public:
  explicit NoMoreBytes(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit less{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &less);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
  }
  ~NoMoreBytes() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_ = SIG_DFL;
};

TEST_F(EvidenceTest, AnIndexThatCanNotBeMadeAnewIsNotTouched) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    store.note({alert(2)}, counters_);
    store.finish(counters_);
  }
  const Found before = found_in(reader());
  {
    const NoMoreBytes full(8192);
    EXPECT_FALSE(rebuild_index(fd_, directory_));
  }
  EXPECT_EQ(found_in(reader()), before);
  EXPECT_EQ(before.alerts.size(), 2u);
  ASSERT_TRUE(rebuild_index(fd_, directory_));
  EXPECT_EQ(found_in(reader()), before) << "with the alert that no segment tells of";
  EXPECT_TRUE(fs::exists(directory_ + "/" + kIndexFile + ".bad"));
  EXPECT_FALSE(fs::exists(directory_ + "/" + kIndexFile + ".new"));
}

TEST_F(EvidenceTest, OfASegmentOfAnEarlierRunPacketsAreCountedAsDeleted) {
  {
    Store store = open({.segment_bytes = 20'000, .min_free_share = 0});
    for (int i = 0; i < 100; ++i) keep(store, 1, 0, false, 500);
    store.finish(counters_);
  }
  const nids_sum kept = counters_.retained;
  Store store = open({.budget_bytes = 60'000, .segment_bytes = 7'000, .min_free_share = 0});
  for (int i = 0; i < 200; ++i) keep(store, 2, 0, false, 500);
  store.finish(counters_);
  std::size_t packets = 0;
  for (const auto& [key, span] : found_in(reader()).spans) packets += span.offsets.size();
  EXPECT_GT(counters_.deleted_by_policy.packets, kept.packets);
  EXPECT_EQ(counters_.retained.packets - counters_.deleted_by_policy.packets, packets);
}

TEST_F(EvidenceTest, ASegmentThatIsMostlyAHoleIsCutAtOnce) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    store.finish(counters_);
  }
  const std::string file = directory_ + "/" + segments().front();
  const auto size = fs::file_size(file);
  fs::resize_file(file, 4ull << 40);
  { Store store = open(); }
  EXPECT_EQ(fs::file_size(file), size);
  EXPECT_EQ(repaired_.cut_bytes, (4ull << 40) - size);
}

TEST_F(EvidenceTest, AlertsAreNumberedOn) {
  {
    Store store = open();
    keep(store, 1, 1, true);
    store.note({alert(2)}, counters_);
    store.finish(counters_);
  }
  Store store = open();
  keep(store, 3, 1, true);
  store.settle(counters_);
  const Found found = found_in(reader());
  ASSERT_EQ(found.alerts.size(), 3u);
  EXPECT_FALSE(found.alerts[1].place);
  EXPECT_EQ(found.alerts[2].alert.id, 3u);
}

TEST_F(EvidenceTest, WhatIsWorthLeastGoesFirstAndOutOfTheIndex) {
  Store store = open({.budget_bytes = 400'000, .segment_bytes = 20'000, .min_free_share = 0});
  for (int i = 0; i < 100; ++i) keep(store, 1, 1, i == 0, 500);
  for (int i = 0; i < 1500; ++i) keep(store, 2, 0, false, 500);
  store.settle(counters_);
  std::size_t severe = 0, bytes = 0;
  for (const std::string& file : segments()) {
    severe += file.ends_with("-s1.pcapng");
    bytes += fs::file_size(directory_ + "/" + file);
  }
  EXPECT_EQ(severe, 4u) << "of severity 1 none is gone";
  EXPECT_LE(bytes, 400'000u);
  EXPECT_GT(counters_.deleted_by_policy.packets, 500u);
  const Found found = found_in(reader());
  std::size_t packets = 0;
  for (const auto& [key, span] : found.spans) {
    packets += span.offsets.size();
    EXPECT_TRUE(fs::exists(directory_ + "/" + key.first.file()));
  }
  EXPECT_EQ(packets, counters_.retained.packets - counters_.deleted_by_policy.packets);
}

// Holds the index, so that the writer waits.
class Blocker {
 public:
  explicit Blocker(const std::string& directory) {
    sqlite3_open((directory + "/" + kIndexFile).c_str(), &db_);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Blocker() {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(db_);
  }

 private:
  sqlite3* db_ = nullptr;
};

TEST_F(EvidenceTest, WhatWaitsForASlowDiskIsBoundedAndWhatIsLostIsCounted) {
  Store store = open({.min_free_share = 0, .max_waiting_bytes = 2u << 20});
  std::uint64_t offered = 0;
  {
    const Blocker blocker(directory_);
    for (int i = 0; i < 5000; ++i, ++offered) {
      keep(store, 1, 1, false, 1000);
      if (i == 100) store.flush(counters_);  // from here on the writer waits for the index
    }
    EXPECT_GT(counters_.not_kept_by_overload.packets, 1000u);
  }
  store.finish(counters_);
  EXPECT_EQ(counters_.retained.packets + counters_.not_kept_by_overload.packets, offered);
  EXPECT_EQ(counters_.not_kept_by_error.packets, 0u);
  std::uint64_t packets = 0;
  for (const auto& [key, span] : found_in(reader()).spans) packets += span.offsets.size();
  EXPECT_EQ(packets, counters_.retained.packets);
}

// A chunk is 1 MiB: the first is written, the second is not. It is lost with what the index is to
// know of both (fewer packets), or before that (more).
TEST_F(EvidenceTest, OfALostPieceTheIndexKnowsWhatIsInTheFileAndEveryAlert) {
  for (const int packets : {1600, 2500}) {
    SCOPED_TRACE(packets);
    counters_ = {};
    const auto before = segments().size();
    std::uint64_t alerts = 0;
    {
      Store store = open();
      const FileSizeLimit limit(1'500'000);
      for (int i = 0; i < packets; ++i) {
        const bool has_alert = i % 200 == 0;
        alerts += has_alert;
        keep(store, static_cast<std::uint16_t>(i % 3), 1, has_alert, 900);
      }
      store.finish(counters_);
    }
    EXPECT_GT(counters_.retained.packets, 900u);
    EXPECT_GT(counters_.not_kept_by_error.packets, 100u);
    EXPECT_GT(segments().size(), before);
    check_index_knows_all(alerts);
    std::uint64_t placed = 0;
    for (const IndexedAlert& alert : found_in(reader()).alerts) placed += alert.place.has_value();
    EXPECT_LT(placed, alerts);
    EXPECT_GT(placed, 0u);
    if (packets == 1600) {
      EXPECT_EQ(counters_.alerts_not_indexed, 0u) << "none came while the disk was left alone";
    }
    { Store store = open(); }
    EXPECT_EQ(repaired_.segments, 0u) << "the index has all there is";
    const auto spans = found_in(reader()).spans;
    ASSERT_TRUE(rebuild_index(fd_, directory_));
    EXPECT_EQ(found_in(reader()).spans, spans) << "to the time of the last packet";
    for (const std::string& file : segments()) fs::remove(directory_ + "/" + file);
    for (const char* suffix : {"", "-wal", "-shm"})
      fs::remove(directory_ + "/" + kIndexFile + suffix);
  }
}

// Files of packets are below 4000 bytes here; the index's log is above.
TEST_F(EvidenceTest, AnIndexThatCannotBeWrittenIsWrittenLater) {
  Store store = open({.min_free_share = 0, .retry_index_after = std::chrono::milliseconds(0)});
  keep(store, 1, 1, true);
  store.settle(counters_);
  {
    const FileSizeLimit limit(4000);
    for (int i = 0; i < 3; ++i) {
      keep(store, 2, 2, i == 0);
      store.note({alert(3)}, counters_);
      store.settle(counters_);
    }
    EXPECT_TRUE(store.index_is_lost());
    EXPECT_FALSE(store.degraded()) << "packets are kept";
    const auto warnings = store.take_warnings();
    ASSERT_EQ(warnings.size(), 1u) << "once";
    EXPECT_EQ(warnings[0].rfind("cannot write the index of kept packets: ", 0), 0u) << warnings[0];
    EXPECT_EQ(found_in(reader()).alerts.size(), 1u);
  }
  store.settle(counters_);
  EXPECT_FALSE(store.index_is_lost());
  EXPECT_EQ(counters_.alerts_not_indexed, 0u);
  check_index_knows_all(5);
  EXPECT_TRUE(store.take_warnings().empty());
}

TEST_F(EvidenceTest, AnIndexIsTriedAgainOnlyAfterAWhile) {
  Store store = open({.min_free_share = 0, .retry_index_after = std::chrono::hours(1)});
  {
    const FileSizeLimit limit(4000);
    keep(store, 1, 1, true);
    store.settle(counters_);
  }
  store.settle(counters_);
  EXPECT_TRUE(store.index_is_lost());
  store.finish(counters_);
  EXPECT_FALSE(store.index_is_lost()) << "the last time is at once";
  check_index_knows_all(1);
}

TEST_F(EvidenceTest, WhatWaitsForTheIndexIsBoundedAndWhatItWillNotKnowIsCounted) {
  {
    Store store = open({.min_free_share = 0,
                        .max_waiting_bytes = 40'000,
                        .retry_index_after = std::chrono::milliseconds(0)});
    const FileSizeLimit limit(4000);
    for (int i = 0; i < 200; ++i) {
      store.note({alert(3)}, counters_);
      store.settle(counters_);
    }
    EXPECT_GT(counters_.alerts_not_indexed, 50u);
    EXPECT_LT(counters_.alerts_not_indexed, 200u);
    keep(store, 1, 1, true);
    store.settle(counters_);
    EXPECT_LT(counters_.alerts_not_indexed, 200u) << "packets have room of their own";
    store.finish(counters_);
    EXPECT_TRUE(store.index_is_lost());
    EXPECT_EQ(counters_.alerts_not_indexed, 201u);
    EXPECT_EQ(store.take_warnings().size(), 2u) << "that it failed, and that it was given up";
  }
  { Store store = open(); }
  EXPECT_EQ(repaired_.packets, 1u);
  EXPECT_EQ(found_in(reader()).alerts.size(), 1u) << "the one whose packet was kept";
}

TEST_F(EvidenceTest, AnIndexThatLacksTooMuchIsGivenUpUntilTheNextStart) {
  {
    Store store = open({.segment_bytes = 3000,
                        .min_free_share = 0,
                        .max_waiting_bytes = 40'000,
                        .retry_index_after = std::chrono::milliseconds(0)});
    {
      const FileSizeLimit limit(4000);
      for (int i = 0; i < 300; ++i) {
        keep(store, static_cast<std::uint16_t>(i % 40), 1, i % 10 == 0);
        store.settle(counters_);
      }
    }
    store.settle(counters_);
    EXPECT_TRUE(store.index_is_lost());
    EXPECT_EQ(counters_.alerts_not_indexed, 30u);
    EXPECT_EQ(counters_.retained.packets, 300u);
  }
  counters_.alerts_not_indexed = 0;
  { Store store = open(); }
  check_index_knows_all(30);
}

TEST_F(EvidenceTest, AFlowIsNamedOnceInAFileHoweverOftenTheIndexIsTold) {
  Store store = open();
  for (int i = 0; i < 3; ++i) {
    keep(store, 1, 0, false);
    store.settle(counters_);
  }
  store.finish(counters_);
  ASSERT_EQ(segments().size(), 1u);
  std::ifstream file(directory_ + "/" + segments()[0], std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const std::size_t first = bytes.find("nids-xdp flow {");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(bytes.find("nids-xdp flow {", first + 1), std::string::npos);
}

TEST_F(EvidenceTest, AlertsThatGoForNewerOnesAreCounted) {
  Store store = open({.min_free_share = 0, .max_alerts = 5});
  for (std::uint16_t i = 0; i < 4; ++i) keep(store, i, 1, true);
  store.settle(counters_);
  EXPECT_EQ(counters_.alerts_deleted, 0u);
  for (std::uint16_t i = 4; i < 8; ++i) keep(store, i, 1, true);
  store.finish(counters_);
  EXPECT_EQ(counters_.alerts_deleted, 3u);
  EXPECT_EQ(found_in(reader()).alerts.size(), 5u);
}

TEST_F(EvidenceTest, WhatIsLostBeforeItsFileIsRemovedIsNotCountedAsDeleted) {
  Store store = open({.budget_bytes = 24'000, .segment_bytes = 3000, .min_free_share = 0});
  keep(store, 1, 0, false, 400);
  store.settle(counters_);
  const FileSizeLimit limit(2200);
  {
    const Blocker blocker(directory_);
    keep(store, 1, 1, false, 400);
    store.flush(counters_);  // from here on the writer waits for the index
    for (int i = 0; i < 2; ++i) keep(store, 1, 0, false, 900);    // into a file: beyond the limit
    for (int i = 0; i < 30; ++i) keep(store, 1, 0, false, 1600);  // into one each: below it
  }
  store.finish(counters_);
  EXPECT_EQ(counters_.not_kept_by_error.packets, 2u);
  EXPECT_EQ(waiting_of(counters_).packets, 0u);
  EXPECT_GT(counters_.deleted_by_policy.packets, 10u);
  EXPECT_EQ(counters_.retained.packets - counters_.deleted_by_policy.packets, segments().size());
}

TEST_F(EvidenceTest, WhoIsToldToWaitLosesNothing) {
  Store store = open({.min_free_share = 0,
                      .max_waiting_bytes = 1u << 20,
                      .when_behind = Store::WhenBehind::kWait});
  for (int i = 0; i < 20'000; ++i) keep(store, 1, 1, false, 1000);
  store.finish(counters_);
  EXPECT_EQ(counters_.retained.packets, 20'000u);
  EXPECT_EQ(counters_.not_kept_by_overload.packets, 0u);
}

TEST_F(EvidenceTest, SegmentsAreCompleteAfterTheirTime) {
  Store store = open({.segment_time = std::chrono::seconds(1), .min_free_share = 0});
  keep(store, 1, 1, false);
  now_ += 999;
  keep(store, 1, 1, false);
  now_ += 1;
  keep(store, 1, 1, false);
  store.settle(counters_);
  EXPECT_EQ(segments().size(), 2u);
}

}  // namespace
}  // namespace nids
