// SPDX-License-Identifier: Apache-2.0
#include "cli/resolver.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "support/sample_flow.hpp"

namespace nids {
namespace {

// A name server that answers when it is told to. Shared, as a look-up may outlive its test.
class Server {
 public:
  Resolver::LookUp look_up() const {
    return [state = state_](const std::uint8_t(&address)[16], std::uint8_t) {
      std::unique_lock lock(state->mutex);
      ++state->asked;
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return state->is_answering; });
      return address[3] == 99 ? std::string{} : state->name;
    };
  }
  void answer(std::string name) {
    const std::lock_guard lock(state_->mutex);
    state_->name = std::move(name);
    state_->is_answering = true;
    state_->changed.notify_all();
  }
  void wait_until_asked(int times) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->asked >= times; });
  }
  int asked() const {
    const std::lock_guard lock(state_->mutex);
    return state_->asked;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_answering = false;
    int asked = 0;
    std::string name;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// As the table does: it asks again each time it draws.
std::string awaited(Resolver& resolver, const Ends& ends) {
  while (true) {
    if (const auto name = resolver.name_of(ends.server, 4)) return *name;
    std::this_thread::yield();
  }
}

Ends host(int number) {
  return sample_ends("10.0.0.1", 1, ("10.0.0." + std::to_string(number)).c_str(), 2);
}

TEST(Resolver, KnowsNothingAtFirstAndTheNameLater) {
  Server server;
  Resolver resolver({}, server.look_up());
  EXPECT_FALSE(resolver.name_of(host(2).server, 4));
  server.answer("two.example");
  EXPECT_EQ(awaited(resolver, host(2)), "two.example");
  EXPECT_EQ(server.asked(), 1);
}

TEST(Resolver, AskingTwiceIsOneLookUp) {
  Server server;
  Resolver resolver({}, server.look_up());
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(resolver.name_of(host(2).server, 4));
  server.answer("two.example");
  awaited(resolver, host(2));
  awaited(resolver, host(3));
  EXPECT_EQ(server.asked(), 2);
}

TEST(Resolver, AnAddressWithoutANameIsNotAskedForAgain) {
  Server server;
  server.answer("named.example");
  Resolver resolver({}, server.look_up());
  EXPECT_FALSE(resolver.name_of(host(99).server, 4));
  awaited(resolver, host(2));  // answered after it
  EXPECT_FALSE(resolver.name_of(host(99).server, 4));
  awaited(resolver, host(3));
  EXPECT_EQ(server.asked(), 3);
}

TEST(Resolver, NamesAreMadeSafeToPrint) {
  Server server;
  server.answer("\x1b[2Jevil\n" + std::string(1'000, 'a'));
  Resolver resolver({}, server.look_up());
  const std::string name = awaited(resolver, host(2));
  EXPECT_EQ(name.find_first_of("\x1b\n"), name.npos);
  EXPECT_LT(name.size(), 300u);
}

TEST(Resolver, AHangingServerHoldsNobodyUp) {
  Server server;
  {
    Resolver resolver({}, server.look_up());
    resolver.name_of(host(2).server, 4);
    server.wait_until_asked(1);
    for (int i = 3; i < 90; ++i) EXPECT_FALSE(resolver.name_of(host(i).server, 4));
  }
  server.answer("too late");
}

TEST(Resolver, WhatWaitsAndWhatIsKnownIsBounded) {
  Server server;
  Resolver resolver({.max_names = 2, .max_waiting = 2}, server.look_up());
  resolver.name_of(host(2).server, 4);
  server.wait_until_asked(1);
  for (int i = 3; i < 90; ++i) resolver.name_of(host(i).server, 4);  // two of them wait
  server.answer("x.example");
  awaited(resolver, host(4));
  EXPECT_LE(server.asked(), 5);
  EXPECT_EQ(awaited(resolver, host(50)), "x.example");
}

}  // namespace
}  // namespace nids
