// SPDX-License-Identifier: Apache-2.0
// How much the agent does for its clients at once: they could blind it.
#include "agent/control.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/unix_listener.hpp"
#include "flow/flow_filter.hpp"

namespace nids {
namespace {

using Json = nlohmann::json;
using std::chrono::nanoseconds;

// As many instructions as a filter may have, none of which rules a flow out.
std::string costly_filter() {
  constexpr std::size_t kCount = FlowFilter::kMaxInstructions;
  std::string text = std::to_string(kCount);
  for (std::size_t i = 0; i + 1 < kCount; ++i) text += ",48 0 0 23";  // ldb [23]
  return text + ",6 0 0 1";
}

class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "control-" + std::to_string(getpid());
    auto listener = listen_at(path_, -1);
    ASSERT_TRUE(listener) << listener.error().message();
    control_.emplace(std::move(*listener), std::vector<FlowShard>{{&flows_, &mutex_}}, names_,
                     changes_, Control::Limits{});
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Fd ask(const Json& question) {
    Fd client{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const std::string line = question.dump() + "\n";
    EXPECT_EQ(write(client.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
    for (int i = 0; i < 3; ++i) control_->poll(nanoseconds(0));  // which accept and read it
    return client;
  }
  std::string told(const Fd& client) {
    std::array<char, 65'536> buffer;
    const ssize_t got = read(client.get(), buffer.data(), buffer.size());
    return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }

  std::string path_;
  FlowTable flows_{{}, [](const Flow&, FlowReason) {}};
  FairMutex mutex_;
  Names names_;
  FlowChanges changes_{100};
  std::optional<Control> control_;
};

// A poll without a budget does one small part: the check of a filter alone has 1,536.
TEST_F(ControlTest, ACostlyFilterIsCheckedInManyParts) {
  const Fd client = ask({{"command", "flows"}, {"filter", costly_filter()}});
  int polls = 0;
  std::string answer;
  while (answer.empty() && polls < 10'000) {
    control_->poll(nanoseconds(0));
    answer = told(client);
    ++polls;
  }
  EXPECT_EQ(Json::parse(answer)["total"], 0u);
  EXPECT_GT(polls, 1500);
}

TEST_F(ControlTest, ACheapQuestionIsNotHeldUpByCostlyOnes) {
  std::array<Fd, 7> costly;
  for (Fd& one : costly) one = ask({{"command", "flows"}, {"filter", costly_filter()}});
  const Fd cheap = ask({{"command", "flows"}});
  std::string answer;
  for (int polls = 0; answer.empty() && polls < 50; ++polls) {
    control_->poll(nanoseconds(0));
    answer = told(cheap);
  }
  EXPECT_EQ(answer, "{\"total\":0}\n");
  for (const Fd& one : costly) EXPECT_TRUE(told(one).empty());
}

TEST_F(ControlTest, AFilterOfTooManyInstructionsIsRefusedAtOnce) {
  std::string text = std::to_string(FlowFilter::kMaxInstructions + 1);
  for (std::size_t i = 0; i < FlowFilter::kMaxInstructions; ++i) text += ",48 0 0 23";
  const Fd client = ask({{"command", "flows"}, {"filter", text + ",6 0 0 1"}});
  control_->poll(nanoseconds(0));
  EXPECT_TRUE(Json::parse(told(client)).contains("error"));
}

TEST_F(ControlTest, ABudgetIsKeptWithinASlice) {
  std::array<Fd, 8> clients;
  for (Fd& one : clients) one = ask({{"command", "flows"}, {"filter", costly_filter()}});
  // The shortest of many: the machine may be busy.
  auto shortest = nanoseconds::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    control_->poll(std::chrono::milliseconds(2));
    shortest = std::min<nanoseconds>(shortest, std::chrono::steady_clock::now() - start);
  }
  EXPECT_LT(shortest, std::chrono::milliseconds(4));
}

}  // namespace
}  // namespace nids
