// SPDX-License-Identifier: Apache-2.0
#include "agent/console.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "agent/relay.hpp"

namespace nids {
namespace {

class ConsoleOnAPipe : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read_end_ = Fd{ends[0]};
    write_end_ = Fd{ends[1]};
    fcntl(read_end_.get(), F_SETFL, O_NONBLOCK);
    fcntl(write_end_.get(), F_SETPIPE_SZ, 4096);
  }
  std::string read_all() const {
    std::string text;
    std::array<char, 4096> bytes;
    for (ssize_t got; (got = read(read_end_.get(), bytes.data(), bytes.size())) > 0;)
      text.append(bytes.data(), static_cast<std::size_t>(got));
    return text;
  }
  Fd read_end_, write_end_;
};

TEST_F(ConsoleOnAPipe, LinesArriveWhole) {
  Console console(write_end_.get());
  console << "one" << ' ' << 2 << "\nthree" << std::flush;
  EXPECT_EQ(read_all(), "one 2\n") << "half a line waits for its end";
  console << "\n" << std::flush;
  EXPECT_EQ(read_all(), "three\n");
}

TEST_F(ConsoleOnAPipe, AReaderThatStoppedHoldsUpNobodyAndIsToldWhatItMissed) {
  Console console(write_end_.get());
  const std::string line(999, 'x');
  constexpr int kSent = 500;
  for (int i = 0; i < kSent; ++i) console << line << std::endl;
  const std::uint64_t lost = console.buffer().lost_lines();
  EXPECT_GT(lost, 0u);
  EXPECT_FALSE(console.buffer().has_room());
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += read_all();
    console << std::flush;
  }
  EXPECT_NE(text.find(std::to_string(lost) + " lines are left out here"), text.npos);
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), 'x')) / 999,
            kSent - lost);
  EXPECT_TRUE(console.buffer().has_room());
}

TEST_F(ConsoleOnAPipe, TheCallersFileDescriptionStaysAsItWas) {
  const Console console(write_end_.get());
  EXPECT_EQ(fcntl(write_end_.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(ConsoleOnAPipe, DrainingHasAnEnd) {
  Console console(write_end_.get());
  for (int i = 0; i < 100; ++i) console << std::string(999, 'x') << std::endl;
  const auto begun = std::chrono::steady_clock::now();
  console.buffer().drain(std::chrono::milliseconds(50));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST_F(ConsoleOnAPipe, AReaderThatIsGoneIsAnError) {
  signal(SIGPIPE, SIG_IGN);
  Console console(write_end_.get());
  read_end_ = Fd{};
  console << "to nobody\n" << std::flush;
  EXPECT_EQ(console.buffer().error_number(), EPIPE);
}

TEST(Relay, PassesLinesOnAndKeepsThoseForWhichThereIsNoRoom) {
  auto relay = Relay::make();
  ASSERT_TRUE(relay);
  const Fd agent = relay->take_write_end();
  ASSERT_EQ(write(agent.get(), "one\ntw", 6), 6);
  std::vector<std::string> lines;
  const auto print = [&](std::string_view line) { lines.emplace_back(line); };
  relay->pass([] { return false; }, print);
  EXPECT_TRUE(lines.empty());
  relay->pass([] { return true; }, print);
  EXPECT_EQ(lines, std::vector<std::string>{"one"});
  ASSERT_EQ(write(agent.get(), "o\n", 2), 2);
  relay->pass([] { return true; }, print);
  EXPECT_EQ(lines.back(), "two");
}

TEST(Relay, TheLastLineNeedsNoEnd) {
  auto relay = Relay::make();
  ASSERT_TRUE(relay);
  {
    const Fd agent = relay->take_write_end();
    ASSERT_EQ(write(agent.get(), "last", 4), 4);
  }
  std::vector<std::string> lines;
  relay->pass([] { return true; }, [&](std::string_view line) { lines.emplace_back(line); });
  EXPECT_EQ(lines, std::vector<std::string>{"last"});
  EXPECT_EQ(relay->fd(), -1);
}

TEST(Relay, OnlyColoursPassAsControls) {
  EXPECT_EQ(harmless_line("\033[31mred\033[0m"), "\033[31mred\033[0m");
  EXPECT_EQ(harmless_line("\033]0;title\a"), "\\x1b]0;title\\x07");
  EXPECT_EQ(harmless_line("\033[2J"), "\\x1b[2J");
  EXPECT_EQ(harmless_line("\033[31"), "\\x1b[31");
  EXPECT_EQ(harmless_line("\033"), "\\x1b");
  EXPECT_EQ(harmless_line("a\033[1;31mb\033c"), "a\033[1;31mb\\x1bc");
}

}  // namespace
}  // namespace nids
