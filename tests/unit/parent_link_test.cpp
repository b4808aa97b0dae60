// SPDX-License-Identifier: Apache-2.0
#include "agent/parent_link.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace nids {
namespace {

constexpr std::uint64_t kLimit = 100;

class AgentsEnd : public testing::Test {
 protected:
  void SetUp() override {
    auto made = make_link();
    ASSERT_TRUE(made);
    parent_ = std::move(made->first);
    agent_ = std::move(made->second);
    file_ = Fd{open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600)};
    ASSERT_TRUE(file_);
    Sinks sinks;
    sinks.eve.emplace(dup(file_.get()));  // one position: what is written here stands there too
    outputs_.emplace(Outputs::Settings{}, std::move(sinks));
  }
  void write_bytes(std::size_t count) const {
    const std::string text(count, 'x');
    ASSERT_EQ(write(file_.get(), text.data(), count), static_cast<ssize_t>(count));
  }
  bool is_asked() const {
    const auto said = hear(parent_.get());
    return said && said->word == Word::kEveIsFull;
  }
  Fd parent_, agent_, file_;
  std::optional<Outputs> outputs_;
};

TEST_F(AgentsEnd, SaysThatItGoesOnBeforeItRunsAndHearsItsEnd) {
  ParentLink link(std::move(agent_), kLimit);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(link.goes_on_starting());
  const auto said = hear(parent_.get());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->word, Word::kStarting);
  EXPECT_FALSE(hear(parent_.get())) << "once a second";
  ASSERT_TRUE(say(parent_.get(), Word::kEnd));
  EXPECT_FALSE(link.goes_on_starting());
  EXPECT_TRUE(link.is_ending());
}

TEST_F(AgentsEnd, AsksOnceForAFileThatIsLongEnough) {
  ParentLink link(std::move(agent_), kLimit);
  write_bytes(kLimit - 1);
  link.look_at_eve(*outputs_);
  EXPECT_FALSE(is_asked());
  write_bytes(1);
  for (int i = 0; i < 3; ++i) link.look_at_eve(*outputs_);
  EXPECT_TRUE(is_asked());
  EXPECT_FALSE(is_asked());
}

TEST_F(AgentsEnd, TakesTheFileBetweenTwoLinesOfABurst) {
  ParentLink link(std::move(agent_), kLimit);
  write_bytes(kLimit);
  link.look_at_eve(*outputs_);
  const Fd next{open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600)};
  ASSERT_TRUE(say(parent_.get(), Word::kEveFile, 0, next.get()));
  link.look_at_eve(*outputs_);
  EXPECT_EQ(outputs_->eve()->end_bytes(), 0u);
  EXPECT_EQ(outputs_->degraded(), 0u);
}

TEST_F(AgentsEnd, RefusalIsShownAndNotAskedAgainAtOnce) {
  ParentLink link(std::move(agent_), kLimit);
  write_bytes(kLimit);
  link.look_at_eve(*outputs_);
  ASSERT_TRUE(is_asked());
  ASSERT_TRUE(say(parent_.get(), Word::kEveRefused));
  link.hear_all(*outputs_);
  EXPECT_EQ(outputs_->degraded(), std::uint64_t{NIDS_DEGRADED_EVE_FILE});
  link.look_at_eve(*outputs_);
  EXPECT_FALSE(is_asked());
  // A file that was sent because of a signal ends the wait.
  ASSERT_TRUE(say(parent_.get(), Word::kEveFile, 0, file_.get()));
  link.hear_all(*outputs_);
  EXPECT_EQ(outputs_->degraded(), 0u);
}

TEST_F(AgentsEnd, NeverAsksWithoutALimit) {
  ParentLink link(std::move(agent_), 0);
  write_bytes(10 * kLimit);
  link.look_at_eve(*outputs_);
  EXPECT_FALSE(is_asked());
}

TEST_F(AgentsEnd, FullLinkIsNotWaitedFor) {
  while (say(agent_.get(), Word::kEveIsFull)) {
  }
  ParentLink link(std::move(agent_), kLimit);
  write_bytes(kLimit);
  link.look_at_eve(*outputs_);
  EXPECT_FALSE(link.is_ending());
}

TEST_F(AgentsEnd, EndsByWordAndByTheParentsEnd) {
  {
    ParentLink link(std::move(agent_), kLimit);
    link.hear_all(*outputs_);
    EXPECT_FALSE(link.is_ending());
    ASSERT_TRUE(say(parent_.get(), Word::kEnd));
    link.hear_all(*outputs_);
    EXPECT_TRUE(link.is_ending());
  }
  auto another = make_link();
  ASSERT_TRUE(another);
  ParentLink link(std::move(another->second), kLimit);
  another->first = Fd{};
  link.hear_all(*outputs_);
  EXPECT_TRUE(link.is_ending());
}

}  // namespace
}  // namespace nids
