// SPDX-License-Identifier: Apache-2.0
#include "retain/store.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "nids/sum.hpp"
#include "source/capture_file.hpp"
#include "support/refusal.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kStart = 1'795'341'600'000'000'000;  // 2026-11-22T10:00:00 UTC
constexpr std::uint64_t kSecond = 1'000'000'000;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string pattern = ::testing::TempDir() + "store.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    fd_ = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  ~StoreTest() override {
    ::close(fd_);
    ::umount(directory_.c_str());
    fs::remove_all(directory_);
  }

  Store open(Store::Limits limits) {
    limits.min_free_share = floor_;
    auto store = Store::open(
        fd_, directory_,
        {{7, {.name = "eth0", .description = ""}}, {9, {.name = "eth1", .description = ""}}},
        limits);
    EXPECT_TRUE(store);
    return std::move(*store);
  }

  std::optional<PacketPlace> keep(Store& store, std::size_t size, std::uint64_t ns = kStart,
                                  Store::Facts facts = {}) {
    OwnedPacket packet;
    packet.time = {ns};
    packet.ifindex = 9;
    packet.frame_len = 2000;
    packet.wire_len = 6000;
    packet.own(std::vector(size, static_cast<std::byte>(fill_++)));
    return store.keep(packet, std::move(facts), counters_);
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::uint64_t bytes_on_disk() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(directory_))
      if (entry.is_regular_file()) bytes += entry.file_size();
    return bytes;
  }

  // The captured length of each packet of a segment, which must be whole.
  std::vector<std::size_t> lengths_in(const std::string& file) const {
    auto capture = CaptureFile::open(directory_ + "/" + file);
    EXPECT_TRUE(capture) << capture.error().message();
    std::vector<std::size_t> lengths;
    for (;;) {
      const auto frame = capture->next();
      EXPECT_TRUE(frame) << frame.error().message();
      if (!frame || !*frame) return lengths;
      lengths.push_back((*frame)->bytes.size());
    }
  }

  std::size_t packets_on_disk() const {
    std::size_t packets = 0;
    for (const auto& file : files()) packets += lengths_in(file).size();
    return packets;
  }

  // A small disk that ends with this process; false where that is not allowed.
  bool mount_disk(const char* options) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory_.c_str(), "tmpfs", 0, options) != 0) {
      return false;
    }
    ::close(fd_);
    fd_ = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return true;
  }

  std::string directory_;
  int fd_ = -1;
  double floor_ = 0;
  int fill_ = 0;
  nids_agent_counters counters_{};
};

TEST_F(StoreTest, WhatIsKeptReadsBackTheSame) {
  {
    Store store = open({});
    for (std::size_t i = 0; i < 100; ++i) {
      const auto place = keep(store, i, kStart + i);
      ASSERT_TRUE(place);
      EXPECT_EQ(store.file_of(*place), directory_ + "/20261122T100000-000001.pcapng");
      EXPECT_EQ(place->number, i + 1);
    }
  }
  ASSERT_EQ(files(), std::vector<std::string>{"20261122T100000-000001.pcapng"});
  auto capture = CaptureFile::open(directory_ + "/" + files().front());
  ASSERT_TRUE(capture);
  for (std::size_t i = 0; i < 100; ++i) {
    const auto frame = capture->next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->time.ns, kStart + i);
    EXPECT_EQ((*frame)->wire_len, 2000u);
    ASSERT_EQ((*frame)->bytes.size(), i);
    EXPECT_TRUE(std::all_of((*frame)->bytes.begin(), (*frame)->bytes.end(),
                            [&](std::byte byte) { return byte == static_cast<std::byte>(i); }));
  }
  const auto end = capture->next();
  EXPECT_TRUE(end && !*end);
  EXPECT_EQ(counters_.retained.packets, 100u);
  EXPECT_EQ(counters_.retained.bytes, 99u * 100 / 2);
}

TEST_F(StoreTest, FilesAreNotForOthersToRead) {
  const mode_t before = ::umask(0);
  Store store = open({});
  keep(store, 10);
  store.settle(counters_);
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((directory_ + "/" + files().at(0)).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
}

TEST_F(StoreTest, NothingIsWrittenBeforeThereIsAPacket) {
  Store store = open({});
  store.settle(counters_);
  EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, OnlyWholeBlocksReachTheFile) {
  Store store = open({});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(keep(store, 1000));
    if (bytes_on_disk() > 0) {
      ASSERT_FALSE(lengths_in(files().front()).empty());
    }
  }
}

TEST_F(StoreTest, ASegmentIsClosedBeforeItPassesItsSize) {
  Store store = open({.segment_bytes = 3000});
  for (unsigned i = 0; i < 10; ++i) ASSERT_TRUE(keep(store, 1000, kStart + i * kSecond));
  store.settle(counters_);
  EXPECT_EQ(files(), (std::vector<std::string>{
                         "20261122T100000-000001.pcapng", "20261122T100002-000002.pcapng",
                         "20261122T100004-000003.pcapng", "20261122T100006-000004.pcapng",
                         "20261122T100008-000005.pcapng"}));
  for (const auto& file : files()) EXPECT_LE(fs::file_size(directory_ + "/" + file), 3000u);
  EXPECT_EQ(packets_on_disk(), 10u);
}

TEST_F(StoreTest, APacketLargerThanASegmentHasOneOfItsOwn) {
  Store store = open({.segment_bytes = 500});
  EXPECT_TRUE(keep(store, 1000));
  EXPECT_TRUE(keep(store, 1000));
  store.settle(counters_);
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(StoreTest, TheBudgetIsNeverPassedAndTheNewestStay) {
  Store store = open({.budget_bytes = 10'000, .segment_bytes = 3000});
  for (unsigned i = 0; i < 100; ++i) {
    ASSERT_TRUE(keep(store, 1000, kStart + i * kSecond));
    store.settle(counters_);
    ASSERT_LE(bytes_on_disk(), 10'000u);
  }
  EXPECT_EQ(files().back(), "20261122T100139-000100.pcapng");
  EXPECT_EQ(counters_.retained.packets, 100u);
  EXPECT_EQ(packets_on_disk(), 100 - counters_.deleted_by_policy.packets);
  EXPECT_EQ(counters_.retained.bytes - counters_.deleted_by_policy.bytes, packets_on_disk() * 1000);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 0u);
}

// Each byte of a packet is the number of its worker.
TEST_F(StoreTest, WorkersFillSegmentsOfTheirOwnAndShareTheBudget) {
  constexpr std::size_t kWorkers = 4, kPackets = 3'000, kBudget = 512u << 10;
  std::array<nids_agent_counters, kWorkers> counters{};
  {
    Store store = open({.budget_bytes = kBudget, .segment_bytes = 16u << 10});
    store.serve(kWorkers);
    std::atomic<bool> has_ended = false;
    std::thread flusher([&] {
      while (!has_ended) {
        store.flush(counters_);
        EXPECT_LE(counters_.store_bytes, kBudget);
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> workers;
    for (std::size_t worker = 0; worker < kWorkers; ++worker)
      workers.emplace_back([&, worker] {
        for (std::size_t i = 0; i < kPackets; ++i) {
          OwnedPacket packet;
          packet.time = {kStart + i};
          packet.ifindex = 9;
          packet.own(std::vector(100 + i % 1000, static_cast<std::byte>(worker)));
          store.keep(packet,
                     {.worker = worker,
                      .severity = static_cast<std::uint8_t>(i % 2),
                      .flow_id = worker + 1},
                     counters[worker]);
        }
      });
    for (std::thread& one : workers) one.join();
    has_ended = true;
    flusher.join();
    store.finish(counters_);
  }
  EXPECT_LE(bytes_on_disk(), kBudget);
  nids_sum kept{}, deleted{}, refused{};
  for (const nids_agent_counters& one : counters) {
    kept += one.retained;
    deleted += one.deleted_by_policy;
    refused += one.not_kept_by_overload;
    EXPECT_EQ(one.not_kept_by_error.packets + one.not_kept_by_policy.packets, 0u);
    EXPECT_EQ(waiting_of(one).packets, 0u);
  }
  EXPECT_EQ(kept.packets + refused.packets, kWorkers * kPackets);
  EXPECT_GT(deleted.packets, 0u);
  EXPECT_EQ(packets_on_disk(), kept.packets - deleted.packets);
  std::set<std::byte> workers_found;
  for (const std::string& file : files()) {
    auto capture = CaptureFile::open(directory_ + "/" + file);
    ASSERT_TRUE(capture);
    std::optional<std::byte> worker;
    WallTime last{};
    for (auto frame = capture->next(); frame && *frame; frame = capture->next()) {
      if (!worker) worker = (*frame)->bytes.front();
      EXPECT_EQ((*frame)->bytes.front(), *worker) << file;
      EXPECT_GT((*frame)->time, last) << file;
      last = (*frame)->time;
    }
    if (worker) workers_found.insert(*worker);
  }
  EXPECT_EQ(workers_found.size(), kWorkers);
}

TEST_F(StoreTest, ABudgetBelowASegmentStillKeepsTheNewest) {
  Store store = open({.budget_bytes = 3000, .segment_bytes = 1 << 20});
  for (unsigned i = 0; i < 50; ++i) {
    ASSERT_TRUE(keep(store, 1000));
    store.settle(counters_);
    ASSERT_LE(bytes_on_disk(), 3000u);
  }
  EXPECT_EQ(files().size(), 2u);
  EXPECT_EQ(packets_on_disk(), 50 - counters_.deleted_by_policy.packets);
}

TEST_F(StoreTest, APacketLargerThanTheBudgetIsRefusedAndDeletesNothing) {
  Store store = open({.budget_bytes = 3000});
  ASSERT_TRUE(keep(store, 1000));
  EXPECT_FALSE(keep(store, 5000));
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 1u);
  EXPECT_EQ(counters_.not_kept_by_policy.bytes, 5000u);
  EXPECT_EQ(counters_.deleted_by_policy.packets, 0u);
  EXPECT_TRUE(keep(store, 1000));
}

TEST_F(StoreTest, SegmentsOfEarlierRunsCountAndGoFirstAndSequencesContinue) {
  std::ofstream(directory_ + "/20200101T000000-000041.pcapng") << std::string(4000, 'x');
  std::ofstream(directory_ + "/20210101T000000-000007.pcapng") << std::string(4000, 'x');
  std::ofstream(directory_ + "/notes.txt") << std::string(9000, 'x');
  std::ofstream(directory_ + "/20200101T000000-41.pcapng") << std::string(9000, 'x');
  fs::create_symlink("notes.txt", directory_ + "/20190101T000000-000099.pcapng");
  Store store = open({.budget_bytes = 10'000});
  ASSERT_TRUE(keep(store, 1000));
  EXPECT_EQ(counters_.deleted_by_policy.bytes, 0u);
  ASSERT_TRUE(keep(store, 1000));
  store.settle(counters_);
  EXPECT_EQ(counters_.deleted_by_policy.packets, 0u);
  EXPECT_EQ(counters_.deleted_by_policy.bytes, 4000u);
  EXPECT_EQ(files(), (std::vector<std::string>{
                         "20190101T000000-000099.pcapng", "20200101T000000-000041.pcapng",
                         "20200101T000000-41.pcapng", "20261122T100000-000042.pcapng",
                         "20261122T100000-000043.pcapng", "notes.txt"}));
}

TEST_F(StoreTest, NamesNeverCollideAndNothingIsFollowedOrOverwritten) {
  Store store = open({});
  std::ofstream(directory_ + "/20261122T100000-000001.pcapng") << "theirs";
  fs::create_symlink("elsewhere", directory_ + "/20261122T100001-000002.pcapng");
  // Each of the two names is taken, so the packets that would be first in its file are lost.
  for (std::uint64_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(keep(store, 1000, kStart + i * kSecond));
    store.settle(counters_);
    EXPECT_EQ(counters_.not_kept_by_error.packets, i + 1);
  }
  const auto place = keep(store, 1000, kStart + 2 * kSecond);
  ASSERT_TRUE(place);
  EXPECT_EQ(store.file_of(*place), directory_ + "/20261122T100002-000003.pcapng");
  store.settle(counters_);
  EXPECT_EQ(counters_.retained.packets, 1u);
  EXPECT_EQ(lengths_in("20261122T100002-000003.pcapng").size(), 1u);
  EXPECT_EQ(fs::file_size(directory_ + "/20261122T100000-000001.pcapng"), 6u);
  EXPECT_FALSE(fs::exists(directory_ + "/elsewhere"));
}

TEST_F(StoreTest, AFileHasOneNameAndAPlantedOneDoesNotUseUpTheNumbers) {
  for (const char* name : {"20261122T100000-0000001.pcapng", "20261122T100000-000001-s0.pcapng",
                           "20261122T100000-1000000000000000.pcapng"})
    EXPECT_FALSE(SegmentName::parse(name)) << name;
  for (const char* name : {"20261122T100000-000001.pcapng", "20261122T100000-1000000-s3.pcapng"})
    EXPECT_EQ(SegmentName::parse(name)->file(), name);
  std::ofstream(directory_ + "/20261122T100000-999999999999999.pcapng") << "planted";
  Store store = open({});
  EXPECT_EQ(keep(store, 10)->segment.sequence, 1u);
}

TEST_F(StoreTest, SequencesPastSixDigitsKeepTheirOrder) {
  std::ofstream(directory_ + "/20261122T100000-999999.pcapng") << std::string(4000, 'x');
  Store store = open({.budget_bytes = 6000, .segment_bytes = 100});
  EXPECT_EQ(keep(store, 1000)->segment.file(), "20261122T100000-1000000.pcapng");
  EXPECT_EQ(keep(store, 1000)->segment.file(), "20261122T100000-1000001.pcapng");
  store.settle(counters_);
  EXPECT_EQ(files().front(), "20261122T100000-1000000.pcapng");
}

TEST_F(StoreTest, ASegmentThatSomeoneElseRemovedIsForgottenUncounted) {
  Store store = open({.budget_bytes = 3000, .segment_bytes = 1500});
  ASSERT_TRUE(keep(store, 1000));
  ASSERT_TRUE(keep(store, 1000));
  store.settle(counters_);
  fs::remove(directory_ + "/" + files().front());
  ASSERT_TRUE(keep(store, 1000));
  store.settle(counters_);
  EXPECT_EQ(counters_.deleted_by_policy.packets, 0u);
}

TEST_F(StoreTest, APacketOfAnUnknownInterfaceIsNotKept) {
  Store store = open({});
  EXPECT_FALSE(store.keep(Packet{}, {}, counters_));
  EXPECT_EQ(counters_.not_kept_by_error.packets, 1u);
}

TEST_F(StoreTest, ARefusedWriteMovesItsPacketsAndLeavesWholeBlocks) {
  Store store = open({});
  ASSERT_TRUE(keep(store, 1000));
  store.settle(counters_);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(keep(store, 1000));
  {
    const FileSizeLimit limit(3000);
    store.settle(counters_);
  }
  EXPECT_TRUE(store.degraded());
  EXPECT_EQ(counters_.retained.packets, 1u);
  EXPECT_EQ(counters_.retained.bytes, 1000u);
  EXPECT_EQ(counters_.not_kept_by_error.packets, 5u);
  EXPECT_EQ(counters_.not_kept_by_error.bytes, 5000u);
  EXPECT_EQ(lengths_in(files().at(0)).size(), 1u);

  ASSERT_FALSE(keep(store, 1000, kStart + kSecond / 2)) << "too soon to try again";
  EXPECT_EQ(counters_.not_kept_by_error.packets, 6u);
  ASSERT_TRUE(keep(store, 1000, kStart + kSecond));
  EXPECT_TRUE(store.degraded()) << "nothing was written yet";
  store.settle(counters_);
  EXPECT_FALSE(store.degraded());
  EXPECT_EQ(files().size(), 2u);
  EXPECT_EQ(packets_on_disk(), counters_.retained.packets);
}

TEST_F(StoreTest, AFileWithoutAPacketIsNotLeftBehind) {
  Store store = open({});
  ASSERT_TRUE(keep(store, 1000));
  {
    const FileSizeLimit limit(100);
    store.settle(counters_);
  }
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(counters_.retained.packets, 0u);
}

TEST_F(StoreTest, NoFlushCutsTheSecondShort) {
  Store store = open({});
  ASSERT_TRUE(keep(store, 1000));
  {
    const FileSizeLimit limit(100);
    store.settle(counters_);
  }
  for (std::uint64_t quarter = 0; quarter < 4; ++quarter) {
    ASSERT_FALSE(keep(store, 1000, kStart + quarter * kSecond / 4));
    store.settle(counters_);
  }
  EXPECT_TRUE(keep(store, 1000, kStart + kSecond));
}

// A directory can't be unlinked.
TEST_F(StoreTest, AFileThatCannotBeRemovedCountsAndOthersGo) {
  const std::string stuck = directory_ + "/20200101T000000-000001.pcapng";
  std::ofstream(stuck) << std::string(4000, 'x');
  Store store = open({.budget_bytes = 10'000, .segment_bytes = 1500});
  fs::remove(stuck);
  fs::create_directory(stuck);
  for (unsigned i = 0; i < 30; ++i) {
    ASSERT_TRUE(keep(store, 1000, kStart + i)) << i;
    store.settle(counters_);
  }
  EXPECT_FALSE(store.degraded());
  EXPECT_EQ(counters_.not_kept_by_error.packets, 0u);
  EXPECT_GT(counters_.store_bytes, 8000u) << "with what can't be removed";
  EXPECT_LE(counters_.store_bytes, 10'000u);
  const auto warnings = store.take_warnings();
  ASSERT_EQ(warnings.size(), 1u) << "once";
  EXPECT_EQ(warnings[0].rfind("cannot remove what the budget of packets has no room for", 0), 0u);
  // Tried again with each segment, so that it does not count for ever.
  fs::remove(stuck);
  for (unsigned i = 0; i < 10; ++i) {
    ASSERT_TRUE(keep(store, 1000, kStart + 100 + i));
    store.settle(counters_);
  }
  EXPECT_GT(packets_on_disk(), 6u);
  EXPECT_EQ(packets_on_disk(), counters_.retained.packets - counters_.deleted_by_policy.packets);
}

TEST_F(StoreTest, WhereNothingCanBeRemovedItIsTriedOnceASecond) {
  const std::string stuck = directory_ + "/20200101T000000-000001.pcapng";
  std::ofstream(stuck) << std::string(9500, 'x');
  Store store = open({.budget_bytes = 10'000});
  fs::remove(stuck);
  fs::create_directory(stuck);
  keep(store, 1000);  // before it is known
  store.settle(counters_);
  for (unsigned i = 0; i < 20; ++i) {
    EXPECT_FALSE(keep(store, 1000, kStart + 1 + i * kSecond / 8)) << i;
    store.settle(counters_);
  }
  EXPECT_TRUE(store.degraded());
  EXPECT_LE(bytes_on_disk(), 10'000u);
  fs::remove(stuck);
  keep(store, 1000, kStart + 4 * kSecond);  // is the next try
  store.settle(counters_);
  EXPECT_TRUE(keep(store, 1000, kStart + 5 * kSecond));
}

TEST_F(StoreTest, WithoutAThreadPacketsAreLostByErrorAndNothingIsThrown) {
  bool is_refused = false;
  std::thread([&] {
    is_refused = refuse_system_call(SYS_clone3, EAGAIN) && refuse_system_call(SYS_clone, EAGAIN);
    Store store = open({});
    EXPECT_FALSE(keep(store, 1000, kStart, {.alerts = {KeptAlert{}}}));
    store.note({KeptAlert{.time = {kStart + kSecond}}}, counters_);
    EXPECT_FALSE(keep(store, 1000, kStart + 2 * kSecond));
    store.flush(counters_);
    EXPECT_TRUE(store.degraded());
    EXPECT_EQ(store.take_warnings().size(), 1u);
    store.finish(counters_);
  }).join();
  if (!is_refused) GTEST_SKIP() << "needs seccomp";
  EXPECT_EQ(counters_.not_kept_by_error.packets, 2u);
  EXPECT_EQ(counters_.retained.packets, 0u);
  EXPECT_EQ(counters_.alerts_not_indexed, 2u);
  EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, ADirectoryThatIsGoneIsAnErrorOnceASecond) {
  Store store = open({});
  fs::remove(directory_);
  keep(store, 1000);
  store.settle(counters_);
  EXPECT_FALSE(keep(store, 1000));
  EXPECT_TRUE(store.degraded());
  EXPECT_EQ(counters_.not_kept_by_error.packets, 2u);
}

TEST_F(StoreTest, WhatMayNotLastIsKeptAndToldAndDegraded) {
  for (const Sync when : {Sync::kSecond, Sync::kSegment}) {
    bool is_refused = false;
    std::thread([&] {
      is_refused = refuse_system_call(SYS_fdatasync, EIO);
      Store store = open({.sync = when});
      for (unsigned i = 0; i < 3; ++i) ASSERT_TRUE(keep(store, 1000, kStart + i));
      when == Sync::kSecond ? store.settle(counters_) : store.finish(counters_);
      EXPECT_TRUE(store.degraded());
      const auto warnings = store.take_warnings();
      ASSERT_EQ(warnings.size(), 1u) << "once";
      EXPECT_EQ(warnings[0],
                "cannot make packets last beyond a power cut (retain.sync): Input/output error");
    }).join();
    if (!is_refused) GTEST_SKIP() << "needs seccomp";
  }
  EXPECT_EQ(counters_.retained.packets, 6u);
  EXPECT_EQ(waiting_of(counters_).packets, 0u);
  EXPECT_EQ(counters_.not_kept_by_error.packets, 0u);
  EXPECT_EQ(packets_on_disk(), 6u);
}

TEST_F(StoreTest, AlertsThatNoIndexWillKnowAreCounted) {
  Store store = open({});
  store.note({KeptAlert{}, KeptAlert{}}, counters_);
  ASSERT_TRUE(keep(store, 1000, kStart, {.alerts = {KeptAlert{}}}));
  store.settle(counters_);
  EXPECT_EQ(counters_.alerts_not_indexed, 3u);
}

TEST_F(StoreTest, WhatCannotBeListedIsNotOpened) {
  const int no_directory = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const auto store = Store::open(no_directory, "/nowhere", {}, {});
  ::close(no_directory);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message(), "cannot list the packet store /nowhere: Not a directory");
}

TEST_F(StoreTest, AFullDiskLosesPacketsByErrorAndCountsEach) {
  if (!mount_disk("size=1m")) GTEST_SKIP() << "needs leave to mount";
  {
    Store store = open({.segment_bytes = 300'000});
    bool was_degraded = false;
    for (unsigned i = 0; i < 3000; ++i) {
      keep(store, 1000, kStart + i * kSecond / 100);
      if (i % 100 == 99) store.settle(counters_);
      was_degraded |= store.degraded();
    }
    store.settle(counters_);
    EXPECT_TRUE(was_degraded);
  }
  EXPECT_GT(counters_.not_kept_by_error.packets, 1000u);
  EXPECT_EQ(counters_.retained.packets + counters_.not_kept_by_error.packets, 3000u);
  EXPECT_EQ(packets_on_disk(), counters_.retained.packets);
}

TEST_F(StoreTest, TheFloorOfFreeDiskIsNotPassed) {
  if (!mount_disk("size=4m")) GTEST_SKIP() << "needs leave to mount";
  floor_ = 0.5;
  Store store = open({});
  bool was_degraded = false;
  for (unsigned i = 0; i < 4000; ++i) {
    keep(store, 1000, kStart + i);
    was_degraded |= store.degraded();
  }
  store.settle(counters_);
  EXPECT_TRUE(was_degraded);
  EXPECT_GT(bytes_on_disk(), 1u << 20);
  EXPECT_LE(bytes_on_disk(), 2u << 20);
  EXPECT_GT(counters_.not_kept_by_error.packets, 1000u);
  EXPECT_EQ(counters_.retained.packets + counters_.not_kept_by_error.packets, 4000u);
  EXPECT_EQ(packets_on_disk(), counters_.retained.packets);
}

}  // namespace
}  // namespace nids
