// SPDX-License-Identifier: Apache-2.0
#include "retain/index.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "nids/fd.hpp"
#include "retain/index_file.hpp"
#include "retain/rebuild.hpp"
#include "support/open_index.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

const SegmentName kFirst{"20261122T100000", 1, 2}, kSecond{"20261122T110000", 2, 0};

KeptFlow flow(std::uint64_t id, const std::string& community_id = "1:one=") {
  KeptFlow flow{.id = id, .community_id = community_id, .ends = {}, .class_name = "ssh"};
  flow.ends.ip_version = 4;
  flow.ends.l4_proto = 17;
  flow.ends.client_port = 1234;
  return flow;
}

FlowSpan span(const SegmentName& segment, std::uint64_t id, std::uint64_t first_ns,
              std::vector<std::uint64_t> offsets, const std::string& community_id = "1:one=") {
  return {.segment = segment,
          .flow = flow(id, community_id),
          .first = {first_ns},
          .last = {first_ns + 10},
          .bytes = 100,
          .offsets = std::move(offsets)};
}

IndexedAlert alert(std::uint64_t id, int severity = 2) {
  return {.alert = {.id = id,
                    .time = {id * 100},
                    .signature_id = {.sid = 1001},
                    .severity = severity,
                    .signature = "SSH connection",
                    .flow = flow(7),
                    .record = "{}"},
          .place = PacketPlace{kFirst, 160, 1}};
}

class IndexTest : public ::testing::Test {
 protected:
  IndexTest() {
    std::string pattern = ::testing::TempDir() + "index.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~IndexTest() override { fs::remove_all(directory_); }

  Index open(Index::Access access = Index::Access::kWrite) {
    auto index = open_index(directory_, access);
    EXPECT_TRUE(index) << index.error().message();
    return std::move(*index);
  }
  void execute(const char* text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/" + kIndexFile).c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }
  void make_version_before() {
    execute(R"(
CREATE TABLE segment(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, indexed INTEGER NOT NULL,
  packets INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE span(
  segment INTEGER NOT NULL, place INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  flow INTEGER NOT NULL, community TEXT NOT NULL, ends BLOB NOT NULL, class TEXT NOT NULL,
  bytes INTEGER NOT NULL, offsets BLOB NOT NULL, PRIMARY KEY(segment, place)) WITHOUT ROWID;
CREATE INDEX span_community ON span(community);
CREATE TABLE alert(
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, signature_id INTEGER NOT NULL,
  severity INTEGER NOT NULL, signature TEXT NOT NULL, flow INTEGER NOT NULL,
  community TEXT NOT NULL, ends BLOB NOT NULL, class TEXT NOT NULL, record TEXT NOT NULL,
  segment INTEGER, place INTEGER, number INTEGER);
CREATE INDEX alert_segment ON alert(segment) WHERE segment IS NOT NULL;
CREATE INDEX alert_community ON alert(community);
INSERT INTO alert VALUES(7, 5, 1001, 2, 'ssh', 9, '1:x=', x'', 'ssh', '{}', NULL, NULL, NULL),
  (8, 6, 2003, 1, 'Xmas', 0, '', x'', '', '{}', NULL, NULL, NULL);
PRAGMA application_id = 1852400755; PRAGMA user_version = 2;)");
  }
  static std::vector<FlowSpan> spans(const Index& index, const SpanQuery& query = {}) {
    std::vector<FlowSpan> found;
    EXPECT_TRUE(index.spans(query, [&](const FlowSpan& one) {
      found.push_back(one);
      return true;
    }));
    return found;
  }
  static std::vector<std::uint64_t> ids(const Index& index, const AlertQuery& query = {}) {
    std::vector<std::uint64_t> found;
    EXPECT_TRUE(index.alerts(query, [&](const IndexedAlert& one) {
      found.push_back(one.alert.id);
      return true;
    }));
    return found;
  }

  std::string directory_;
};

TEST_F(IndexTest, WhatIsAddedIsFound) {
  Index index = open();
  const std::vector<FlowSpan> all{span(kFirst, 7, 1000, {160, 300, 5000}),
                                  span(kFirst, 8, 1005, {1000}, "1:two=")};
  ASSERT_TRUE(index.add({kFirst, 6000, all, {alert(1)}}));
  EXPECT_TRUE(spans(open(Index::Access::kRead)).empty()) << "it was not committed";
  ASSERT_TRUE(index.commit());
  const Index reader = open(Index::Access::kRead);
  EXPECT_EQ(spans(reader), all);
  EXPECT_EQ(spans(reader, {.community_id = "1:two="}), std::vector{all[1]});
  EXPECT_EQ(spans(reader, {.community_id = "1:one=", .flow_id = 8}), std::vector<FlowSpan>{});
  EXPECT_EQ(spans(reader, {.flow_id = 7}), std::vector{all[0]});
  EXPECT_EQ(spans(reader, {.since = WallTime{1011}}), std::vector{all[1]});
  EXPECT_EQ(spans(reader, {.until = WallTime{1004}}), std::vector{all[0]});
  EXPECT_EQ(reader.segments().operator*().at(kFirst).end, 6000u);
  EXPECT_EQ(*reader.last_alert_id(), 1u);
  EXPECT_GT(reader.used_bytes(), 0u);
  std::vector<IndexedAlert> alerts;
  ASSERT_TRUE(reader.alerts({}, [&](const IndexedAlert& one) {
    alerts.push_back(one);
    return true;
  }));
  EXPECT_EQ(alerts, std::vector{alert(1)});
}

TEST_F(IndexTest, AlertsAreChosenByAllThatIsAsked) {
  Index index = open();
  ASSERT_TRUE(index.add({kFirst, 100, {}, {alert(1, 1), alert(2, 2), alert(3, 3)}}));
  IndexedAlert unkept = alert(4, 3);
  unkept.place.reset();
  unkept.alert.flow = {};
  ASSERT_TRUE(index.add(unkept));
  ASSERT_TRUE(index.commit());
  EXPECT_EQ(ids(index), (std::vector<std::uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(ids(index, {.id = 3}), std::vector<std::uint64_t>{3});
  EXPECT_EQ(ids(index, {.after_id = 2}), (std::vector<std::uint64_t>{3, 4}));
  EXPECT_EQ(ids(index, {.since = WallTime{200}, .until = WallTime{300}}),
            (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(ids(index, {.lowest_severity = 2}), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(ids(index, {.classes = {"ssh"}}), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(ids(index, {.community_id = "1:one="}), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(IndexTest, WhoIsToldOfAlertsMayStandStill) {
  Index index = open();
  for (std::uint64_t id = 1; id <= 600; ++id) ASSERT_TRUE(index.add(alert(id)));
  ASSERT_TRUE(index.commit());
  const Index reader = open(Index::Access::kRead);
  sqlite3* writer = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/" + kIndexFile).c_str(), &writer), SQLITE_OK);
  std::uint64_t told = 0;
  EXPECT_TRUE(reader.alerts({}, [&](const IndexedAlert& one) {
    EXPECT_EQ(one.alert.id, ++told);
    if (told % 100 == 1) {
      EXPECT_EQ(
          sqlite3_wal_checkpoint_v2(writer, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr),
          SQLITE_OK)
          << "the log can be cut meanwhile";
    }
    return true;
  }));
  EXPECT_EQ(told, 600u);
  sqlite3_close(writer);
}

TEST_F(IndexTest, AlertsOutliveTheirPackets) {
  Index index = open();
  ASSERT_TRUE(index.add({kFirst, 100, {span(kFirst, 7, 1, {50})}, {alert(1)}}));
  ASSERT_TRUE(index.add({kSecond, 100, {span(kSecond, 7, 2, {60})}, {}}));
  ASSERT_TRUE(index.remove(kFirst));
  ASSERT_TRUE(index.commit());
  EXPECT_EQ(spans(index).size(), 1u);
  EXPECT_EQ(index.segments()->size(), 1u);
  ASSERT_TRUE(index.alerts({}, [&](const IndexedAlert& one) {
    EXPECT_FALSE(one.place);
    return true;
  }));
  EXPECT_EQ(ids(index).size(), 1u);
}

TEST_F(IndexTest, TheOldestAlertsGo) {
  Index index = open();
  for (std::uint64_t id = 1; id <= 10; ++id) ASSERT_TRUE(index.add(alert(id)));
  EXPECT_EQ(*index.remove_alerts_beyond(10), 0u);
  EXPECT_EQ(ids(index).size(), 10u);
  EXPECT_EQ(*index.remove_alerts_beyond(3), 7u);
  EXPECT_EQ(ids(index), (std::vector<std::uint64_t>{8, 9, 10}));
  EXPECT_EQ(*index.last_alert_id(), 10u);
}

TEST_F(IndexTest, AnAlertThatIsReplacedCountsOnce) {
  Index index = open();
  ASSERT_TRUE(index.remove_alerts_beyond(10));  // from here on it knows their number
  for (const std::uint64_t id : {1, 2, 5, 9, 5, 9, 1}) ASSERT_TRUE(index.add(alert(id)));
  ASSERT_TRUE(index.remove_alerts_beyond(4));
  EXPECT_EQ(ids(index), (std::vector<std::uint64_t>{1, 2, 5, 9}));
  ASSERT_TRUE(index.commit());
  ASSERT_TRUE(index.add(alert(10)));
  ASSERT_TRUE(index.add(alert(11)));
  index.rollback();
  ASSERT_TRUE(index.add(alert(12)));
  ASSERT_TRUE(index.remove_alerts_beyond(3));
  EXPECT_EQ(ids(index), (std::vector<std::uint64_t>{5, 9, 12}));
}

TEST_F(IndexTest, HowManyAlertsThereAreIsNotCountedEachTime) {
  Index index = open();
  for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(index.add(alert(id)));
  ASSERT_TRUE(index.remove_alerts_beyond(5));
  ASSERT_TRUE(index.commit());
  // Nobody else writes to it: had it counted again, it would have seen this.
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/" + kIndexFile).c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db,
                         "UPDATE alert SET id = id + 10; INSERT INTO alert SELECT id + 10, "
                         "time, gid, sid, rev, kind, severity, signature, flow, community, ends, "
                         "class, record, segment, place, number FROM alert",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  ASSERT_TRUE(index.remove_alerts_beyond(5));
  EXPECT_EQ(ids(index).size(), 10u);
}

TEST_F(IndexTest, TheVersionBeforeIsTakenOver) {
  make_version_before();
  const Fd directory{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  EXPECT_FALSE(is_index_unusable(directory.get()));
  const Index index = open();
  std::vector<KeptAlert> found;
  ASSERT_TRUE(index.alerts({}, [&](const IndexedAlert& one) {
    found.push_back(one.alert);
    return true;
  }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].signature_id, (SignatureId{.gid = 9000, .sid = 1001, .rev = 1}));
  EXPECT_EQ(found[0].kind, AlertKind::kFlaggedProtocol);
  EXPECT_EQ(found[0].signature, "ssh");
  EXPECT_EQ(found[0].flow.id, 9u);
  EXPECT_EQ(found[1].kind, AlertKind::kStatelessFinding);
}

TEST_F(IndexTest, AnIndexMadeAnewHasTheAlertsOfTheVersionBefore) {
  make_version_before();
  const Fd directory{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto repaired = rebuild_index(directory.get(), directory_);
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_EQ(ids(open(Index::Access::kRead)), (std::vector<std::uint64_t>{7, 8}));
}

TEST_F(IndexTest, WhatIsTakenBackIsGoneAndTheNextChangeHolds) {
  Index index = open();
  ASSERT_TRUE(index.add({kFirst, 100, {span(kFirst, 7, 1, {50})}, {alert(1)}}));
  index.rollback();
  index.rollback();
  ASSERT_TRUE(index.add(alert(2)));
  ASSERT_TRUE(index.commit());
  EXPECT_TRUE(index.segments()->empty());
  EXPECT_EQ(ids(index), std::vector<std::uint64_t>{2});
}

TEST_F(IndexTest, WhatWasNotCommittedIsGone) {
  {
    Index index = open();
    ASSERT_TRUE(index.add({kFirst, 100, {span(kFirst, 7, 1, {50})}, {}}));
    ASSERT_TRUE(index.commit());
    ASSERT_TRUE(index.add({kFirst, 200, {span(kFirst, 7, 1, {150})}, {}}));
  }
  const Index index = open();
  EXPECT_EQ(index.segments()->at(kFirst).end, 100u);
  EXPECT_EQ(spans(index).size(), 1u);
}

TEST_F(IndexTest, WhatIsNoIndexIsRefused) {
  std::ofstream(directory_ + "/" + kIndexFile) << "no database, but more than a hundred bytes of "
                                                  "text, since fewer would be an empty one. "
                                                  "------------------------------------------";
  const auto index = open_index(directory_, Index::Access::kWrite);
  ASSERT_FALSE(index);
  EXPECT_NE(index.error().message().find(kIndexFile), std::string::npos);
}

TEST_F(IndexTest, OneWithAnythingBesideOurTablesIsNone) {
  const Fd fd{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY)};
  for (const char* change :
       {"CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER gone AFTER INSERT ON span BEGIN DELETE FROM span; END",
        "DROP TABLE alert; CREATE VIEW alert AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n) SELECT i AS id FROM n"}) {
    fs::remove(directory_ + "/" + kIndexFile);
    { Index index = open(); }
    execute(change);
    for (const auto access : {Index::Access::kRead, Index::Access::kWrite})
      EXPECT_FALSE(open_index(directory_, access)) << change;
    EXPECT_TRUE(is_index_unusable(fd.get())) << change;
  }
}

TEST_F(IndexTest, APipeInPlaceOfAFileIsNotWaitedFor) {
  const Fd fd{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY)};
  { Index index = open(); }
  for (const char* beside : kBesideIndex) {
    const std::string pipe = directory_ + "/" + kIndexFile + beside;
    fs::remove(pipe);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    static_cast<void>(open_index(directory_, Index::Access::kRead));
    static_cast<void>(open_index(directory_, Index::Access::kWrite));
    EXPECT_TRUE(is_index_unusable(fd.get())) << beside;
    fs::remove(pipe);
  }
}

TEST_F(IndexTest, TimesBeyondWhatARowHoldsAreFound) {
  Index index = open();
  FlowSpan late = span(kFirst, 7, 1, {50});
  late.last = {~0ull};
  IndexedAlert late_alert = alert(1);
  late_alert.alert.time = {1ull << 63};
  ASSERT_TRUE(index.add({kFirst, 100, {late}, {late_alert}}));
  ASSERT_TRUE(index.commit());
  EXPECT_EQ(spans(index).size(), 1u);
  EXPECT_EQ(ids(index), std::vector<std::uint64_t>{1});
}

TEST_F(IndexTest, PlantedAlertsGoBeforeOurs) {
  Index index = open();
  for (std::uint64_t id = 0; id < 100; ++id) ASSERT_TRUE(index.add(alert(kMaxAlert - id)));
  ASSERT_TRUE(index.add(alert(1)));
  ASSERT_TRUE(index.add(alert(2)));
  ASSERT_TRUE(index.remove_alerts_beyond(50));
  ASSERT_TRUE(index.commit());
  EXPECT_EQ(ids(index), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(IndexTest, APlantedNumberUsesNoneUp) {
  Index index = open();
  for (const auto id : {std::uint64_t{3}, kMaxFoundAlert + 1, ~std::uint64_t{0} >> 1})
    ASSERT_TRUE(index.add(alert(id)));
  ASSERT_TRUE(index.commit());
  EXPECT_EQ(*index.last_alert_id(), 3u);
}

TEST_F(IndexTest, WhatStandsInItsPlaceAndIsNoneIsKnown) {
  const std::string file = directory_ + "/" + kIndexFile;
  const Fd fd{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY)};
  EXPECT_FALSE(is_index_unusable(fd.get())) << "there is none";
  { Index index = open(); }
  EXPECT_FALSE(is_index_unusable(fd.get()));
  fs::permissions(file, fs::perms::none);
  EXPECT_EQ(is_index_unusable(fd.get()), ::geteuid() != 0);
  fs::permissions(file, fs::perms::owner_all);
  execute("PRAGMA user_version = 99");
  EXPECT_TRUE(is_index_unusable(fd.get())) << "another version";
  execute("PRAGMA user_version = 1; DROP TABLE span");
  EXPECT_TRUE(is_index_unusable(fd.get())) << "not all of it";
  fs::resize_file(file, 5000);
  EXPECT_TRUE(is_index_unusable(fd.get())) << "cut";
  fs::remove(file);
  fs::create_symlink("elsewhere", file);
  EXPECT_TRUE(is_index_unusable(fd.get())) << "a link";
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_TRUE(is_index_unusable(fd.get())) << "a directory";
}

TEST_F(IndexTest, ReadersMakeNoIndex) {
  EXPECT_FALSE(open_index(directory_, Index::Access::kRead));
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(IndexTest, ALinkIsNotFollowed) {
  const std::string elsewhere = directory_ + "/elsewhere";
  fs::create_symlink(elsewhere, directory_ + "/" + kIndexFile);
  EXPECT_FALSE(open_index(directory_, Index::Access::kWrite));
  EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(IndexTest, RowsThatLieAreAnErrorAndNoCrash) {
  {
    Index index = open();
    ASSERT_TRUE(index.add({kFirst, 100, {span(kFirst, 7, 1, {50})}, {}}));
    ASSERT_TRUE(index.commit());
  }
  execute("UPDATE span SET offsets = x'80'");  // which ends inside a number
  const Index index = open(Index::Access::kRead);
  EXPECT_FALSE(index.spans({}, [](const FlowSpan&) { return true; }));
}

}  // namespace
}  // namespace nids
