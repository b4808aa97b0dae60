// SPDX-License-Identifier: Apache-2.0
#include "log/eve_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>

#include "nids/fd.hpp"

namespace nids {
namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

Fd temporary() { return Fd{open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600)}; }

// A pipe that holds one page, so that nobody who does not read it takes more.
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    read_end = Fd{ends[0]};
    write_end = Fd{ends[1]};
  }
  Fd read_end, write_end;
};

TEST(EveWriter, AThreadWritesEveryLineInOrder) {
  const Fd file = temporary();
  nids_agent_counters counters{};
  std::string expected;
  EveWriter writer(dup(file.get()));
  ASSERT_TRUE(writer.start_thread(0));
  writer.wait_until(Clock::now() + std::chrono::seconds(10), {});
  for (int i = 0; i < 1000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    expected += line;
    writer.write(line, counters);
  }
  writer.finish();
  EXPECT_EQ(text_of(file.get()), expected);
  EXPECT_EQ(counters.eve_lines, 1000u);
  EXPECT_EQ(counters.eve_lost, 0u);
  EXPECT_EQ(writer.end_bytes(), expected.size());
}

// While a thread may write it.
std::uint64_t now(const __u64& counter) { return __atomic_load_n(&counter, __ATOMIC_RELAXED); }

TEST(EveWriter, AReaderThatStoppedHoldsUpNobodyAndEachLineIsCounted) {
  std::signal(SIGPIPE, SIG_IGN);  // as the agent does
  Pipe pipe;
  static nids_agent_counters counters{};  // the thread that hangs outlives the test
  const std::string line = std::string(64 << 10, 'x') + "\n";
  const std::size_t fit = EveWriter::kQueue_bytes / line.size(), sent = fit + 100;
  EveWriter writer(pipe.write_end.release());
  ASSERT_TRUE(writer.start_thread(0));
  for (std::size_t i = 0; i < sent; ++i) writer.write(line, counters);
  EXPECT_EQ(now(counters.eve_lost), sent - fit);
  EXPECT_TRUE(writer.degraded());
  writer.finish();  // no deadline was given: it does not wait either
  // The thread may have one in its hands, of which nobody can tell.
  const std::uint64_t lost = now(counters.eve_lost);
  EXPECT_GE(lost, sent - 1);
  EXPECT_LE(lost, sent);
  EXPECT_EQ(now(counters.eve_lines), 0u);
}

TEST(EveWriter, WhatWaitedIsWrittenOnceTheReaderGoesOn) {
  Pipe pipe;
  nids_agent_counters counters{};
  EveWriter writer(pipe.write_end.release());
  ASSERT_TRUE(writer.start_thread(0));
  const std::string line(9999, 'y');
  for (int i = 0; i < 100; ++i) writer.write(line + "\n", counters);
  std::string read_text(100 * 10'000, '\0');
  for (std::size_t at = 0; at < read_text.size();) {
    const ssize_t got = read(pipe.read_end.get(), read_text.data() + at, read_text.size() - at);
    ASSERT_GT(got, 0);
    at += static_cast<std::size_t>(got);
  }
  writer.wait_until(Clock::now() + std::chrono::seconds(10), {});
  writer.finish();
  EXPECT_EQ(counters.eve_lines, 100u);
  EXPECT_EQ(counters.eve_lost, 0u);
}

TEST(EveWriter, AFullFileIsContinuedOnlyInTheNext) {
  const Fd first = temporary(), second = temporary();
  nids_agent_counters counters{};
  EveWriter writer(dup(first.get()));
  ASSERT_TRUE(writer.start_thread(30));
  for (int i = 0; i < 10; ++i) writer.write("123456789\n", counters);
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (writer.end_bytes() < 30 && Clock::now() < deadline) usleep(1000);
  pollfd pauses{.fd = writer.pause_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&pauses, 1, 5'000), 1);
  writer.replace(dup(second.get()));
  writer.wait_until(deadline, {});
  writer.finish();
  EXPECT_EQ(text_of(first.get()).size(), 30u);
  EXPECT_EQ(text_of(second.get()).size(), 70u);
}

TEST(EveWriter, AFullFileIsContinuedWhereThereIsNoOther) {
  const Fd file = temporary();
  nids_agent_counters counters{};
  EveWriter writer(dup(file.get()));
  ASSERT_TRUE(writer.start_thread(30));
  for (int i = 0; i < 10; ++i) writer.write("123456789\n", counters);
  const auto begun = Clock::now();
  int called = 0;
  writer.wait_until(begun + std::chrono::seconds(10), [&] {
    if (++called == 5) writer.keep_file();
  });
  writer.finish();
  EXPECT_EQ(text_of(file.get()).size(), 100u);
  EXPECT_GE(called, 5);
}

TEST(EveWriter, WithoutAThreadALineIsThereAtOnce) {
  const Fd file = temporary();
  nids_agent_counters counters{};
  EveWriter writer(dup(file.get()));
  writer.write("now\n", counters);
  EXPECT_EQ(text_of(file.get()), "now\n");
  EXPECT_EQ(writer.end_bytes(), 4u);
}

}  // namespace
}  // namespace nids
