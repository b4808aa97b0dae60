// SPDX-License-Identifier: Apache-2.0
#include "retain/writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "nids/fd.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

class WriterTest : public testing::Test {
 protected:
  WriterTest() {
    std::string pattern = testing::TempDir() + "writer.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    fd_ = Fd{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  }
  ~WriterTest() override { fs::remove_all(directory_); }

  Writer writer() const {
    std::unique_ptr<Index> none;
    auto started = Writer::start({.directory_fd = fd_.get()}, none);
    EXPECT_TRUE(started);
    return std::move(*started);
  }
  void make(const SegmentName& name) const {
    ASSERT_TRUE(SegmentFile(fd_.get(), name).append(std::vector<std::byte>(1)));
  }

  const SegmentName name_{"20261122T100000", 1, 0};
  std::string directory_;
  Fd fd_;
  nids_agent_counters counters_{};
};

TEST_F(WriterTest, WhatIsDeletedIsCountedBeforeAnybodyAsks) {
  Writer writer = this->writer();
  make(name_);
  writer.remove({.name = name_, .counters = &counters_, .kept = {5, 500}});
  writer.wait();
  EXPECT_EQ(counters_.deleted_by_policy.packets, 5u);
  EXPECT_EQ(counters_.deleted_by_policy.bytes, 500u);
  const Writer::Done done = writer.collect();
  ASSERT_EQ(done.removed.size(), 1u);
  EXPECT_TRUE(done.removed[0].is_counted);
}

TEST_F(WriterTest, WhatSomebodyElseDeletedIsNotCounted) {
  Writer writer = this->writer();
  writer.remove({.name = name_, .counters = &counters_, .kept = {5, 500}});
  writer.wait();
  EXPECT_EQ(counters_.deleted_by_policy.packets, 0u);
  const Writer::Done done = writer.collect();
  ASSERT_EQ(done.removed.size(), 1u);
  EXPECT_FALSE(done.removed[0].was_there);
}

}  // namespace
}  // namespace nids
