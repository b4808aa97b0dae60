// SPDX-License-Identifier: Apache-2.0
#include "agent/link.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

namespace nids {
namespace {

class Link : public testing::Test {
 protected:
  void SetUp() override {
    auto made = make_link();
    ASSERT_TRUE(made);
    near_ = std::move(made->first);
    far_ = std::move(made->second);
  }
  static std::size_t open_files() {
    const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }
  Fd near_, far_;
};

TEST_F(Link, WordsComeInOrderEachWithItsOwnFile) {
  const Fd null{open("/dev/null", O_WRONLY)};
  ASSERT_TRUE(say(near_.get(), Word::kEveRefused));
  ASSERT_TRUE(say(near_.get(), Word::kEveFile, 7, null.get()));
  ASSERT_TRUE(say(near_.get(), Word::kEnd));
  auto said = hear(far_.get());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->word, Word::kEveRefused);
  EXPECT_FALSE(said->file);
  said = hear(far_.get());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->word, Word::kEveFile);
  EXPECT_EQ(said->number, 7u);
  struct stat sent {
  }, got{};
  ASSERT_EQ(fstat(null.get(), &sent), 0);
  ASSERT_EQ(fstat(said->file.get(), &got), 0);
  EXPECT_EQ(sent.st_rdev, got.st_rdev);
  EXPECT_NE(fcntl(said->file.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(hear(far_.get())->word, Word::kEnd);
  EXPECT_FALSE(hear(far_.get()));
}

TEST_F(Link, OtherSidesEndIsAWordAfterAllOthers) {
  ASSERT_TRUE(say(near_.get(), Word::kRunning));
  near_ = Fd{};
  EXPECT_EQ(hear(far_.get())->word, Word::kRunning);
  EXPECT_EQ(hear(far_.get())->word, Word::kGone);
  EXPECT_FALSE(say(far_.get(), Word::kRunning));
}

TEST_F(Link, FullLinkRefusesAndDoesNotWait) {
  std::size_t taken = 0;
  while (say(near_.get(), Word::kEveIsFull)) ++taken;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(taken, 8u);
}

TEST_F(Link, MessageOfAnotherLengthIsNoWord) {
  const std::array<std::uint32_t, 3> longer{static_cast<std::uint32_t>(Word::kEnd), 0, 0};
  ASSERT_GT(send(near_.get(), longer.data(), sizeof(longer), 0), 0);
  ASSERT_GT(send(near_.get(), longer.data(), sizeof(longer[0]), 0), 0);
  EXPECT_EQ(hear(far_.get())->word, Word::kGone);
  EXPECT_EQ(hear(far_.get())->word, Word::kGone);
}

TEST_F(Link, MoreFilesThanOneAreAllClosed) {
  const Fd null{open("/dev/null", O_WRONLY)};
  const std::size_t before = open_files();
  std::array<std::uint32_t, 2> message{static_cast<std::uint32_t>(Word::kEveFile), 0};
  iovec part{.iov_base = message.data(), .iov_len = sizeof(message)};
  constexpr std::size_t kFiles = 5;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFiles * sizeof(int))> room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(kFiles * sizeof(int));
  for (std::size_t i = 0; i < kFiles; ++i) {
    const int fd = null.get();
    std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof(fd));
  }
  ASSERT_GT(sendmsg(near_.get(), &header, 0), 0);
  {
    const auto said = hear(far_.get());
    ASSERT_TRUE(said);
    EXPECT_TRUE(said->file);
    EXPECT_EQ(open_files(), before + 1);
  }
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace nids
