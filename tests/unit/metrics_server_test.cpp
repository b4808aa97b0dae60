// SPDX-License-Identifier: Apache-2.0
// A hostile client costs the server one of its 16 clients, for 5 seconds at most.
#include "agent/metrics_server.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <optional>

#include "agent/metrics_listener.hpp"

namespace nids {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MetricsServerTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void serve(const MetricsServer::Limits& limits) {
    auto listener = listen_for_metrics({.on_unix_socket = true, .address = {}}, directory_, -1);
    ASSERT_TRUE(listener) << listener.error().message();
    server_.emplace(
        std::move(*listener), [this] { return ++texts_, text_; }, limits);
    ASSERT_TRUE(server_->start());
  }

  Fd connected() {
    Fd client{socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = metrics_path(directory_);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return client;
  }
  static void send_all(const Fd& client, std::string_view bytes) {
    EXPECT_EQ(send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Reads until the connection ends.
  static std::string answer_of(const Fd& client) {
    std::string answer;
    std::array<char, 65'536> piece;
    for (;;) {
      const ssize_t got = recv(client.get(), piece.data(), piece.size(), 0);
      if (got <= 0) return answer;
      answer.append(piece.data(), static_cast<std::size_t>(got));
    }
  }
  std::string get() {
    const Fd client = connected();
    send_all(client, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return answer_of(client);
  }

  const std::string directory_ = testing::TempDir() + "metrics-server-" + std::to_string(getpid());
  std::string text_ = "# the text\n";
  std::atomic<int> texts_ = 0;
  std::optional<MetricsServer> server_;
};

constexpr auto kForEver = std::chrono::hours(1);

TEST_F(MetricsServerTest, AnswersAndCloses) {
  serve({.client_time = kForEver});
  const std::string answer = get();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\n# the text\n# HELP nids_xdp_metrics_requests_total "));
  EXPECT_THAT(answer, HasSubstr("\nnids_xdp_metrics_requests_total{code=\"200\"} 1\n"));
  const Fd other = connected();
  send_all(other, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer_of(other), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(MetricsServerTest, ARequestInPiecesIsOne) {
  serve({.client_time = kForEver});
  const Fd client = connected();
  for (const char c : std::string("GET /metrics HTTP/1.0\r\n\r\n")) send_all(client, {&c, 1});
  EXPECT_THAT(answer_of(client), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(MetricsServerTest, ARequestWithoutAnEndIsRefused) {
  serve({.max_request_bytes = 64, .client_time = kForEver});
  const Fd client = connected();
  send_all(client, "GET /metrics HTTP/1.1\r\nX: " + std::string(64 - 26, 'x'));
  EXPECT_THAT(answer_of(client), StartsWith("HTTP/1.1 431 "));
}

TEST_F(MetricsServerTest, ASlowClientIsClosedWhenItsTimeIsOver) {
  serve({.client_time = milliseconds(50)});
  const Fd silent = connected();
  EXPECT_EQ(answer_of(silent), "");
  std::string answer;
  while (answer.empty()) answer = get();  // a busy machine may close this one too
  EXPECT_THAT(answer, HasSubstr("{reason=\"timeout\"} "));
  EXPECT_THAT(answer, Not(HasSubstr("{reason=\"timeout\"} 0\n")));
}

TEST_F(MetricsServerTest, AClientThatTakesNothingIsClosedWhenItsTimeIsOver) {
  text_.assign(16 << 20, '#');  // more than the socket holds
  serve({.client_time = milliseconds(200)});
  const Fd client = connected();
  send_all(client, "GET /metrics HTTP/1.1\r\n\r\n");
  pollfd end{client.get(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&end, 1, 60'000), 1);
  EXPECT_LT(answer_of(client).size(), text_.size());
}

TEST_F(MetricsServerTest, OfTooManyClientsTheFirstGoes) {
  serve({.max_clients = 2, .client_time = kForEver});
  const Fd first = connected(), second = connected(), third = connected();
  EXPECT_EQ(answer_of(first), "");
  send_all(third, "GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer_of(third), HasSubstr("{reason=\"evicted\"} 1\n"));
  send_all(second, "GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer_of(second), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(MetricsServerTest, AllClientsOfAMomentGetTheSameText) {
  serve({.client_time = kForEver, .text_time = std::chrono::hours(1)});
  for (int i = 0; i < 20; ++i) EXPECT_THAT(get(), HasSubstr("# the text\n"));
  EXPECT_EQ(texts_, 1);
}

TEST_F(MetricsServerTest, ASecondListenerIsRefusedAndADeadOneReplaced) {
  serve({});
  const Config::Metrics config{.on_unix_socket = true, .address = {}};
  const auto second = listen_for_metrics(config, directory_, -1);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("metrics.sock: Address already in use"));
  server_.reset();
  EXPECT_TRUE(listen_for_metrics(config, directory_, -1));
}

}  // namespace
}  // namespace nids
