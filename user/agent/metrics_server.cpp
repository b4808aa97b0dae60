// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <map>
#include <system_error>
#include <thread>
#include <vector>

#include "http/request.hpp"
#include "report/metrics.hpp"

namespace nids {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kPlainType = "text/plain; charset=utf-8";

int ms_until(Clock::time_point then) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace

class MetricsServer::Server {
 public:
  Server(Fd listener, Source source, const Limits& limits)
      : listener_(std::move(listener)), source_(std::move(source)), limits_(limits) {}
  ~Server() {
    if (!thread_.joinable()) return;
    eventfd_write(end_.get(), 1);
    thread_.join();
  }

  Result<void> start();

 private:
  struct Client {
    Fd fd;
    Clock::time_point deadline;
    std::string request{}, answer{};
    std::size_t sent = 0;

    bool is_answered() const { return !answer.empty(); }
  };
  enum class Progress { kWaits, kIsDone };

  void run();
  bool wait();
  void accept_one();
  Progress work(Client& client);
  Progress read(Client& client);
  Progress write(Client& client);
  void answer(Client& client, HttpStatus status);
  const std::string& text();
  std::string own_text() const;

  Fd listener_;
  Source source_;
  Limits limits_;
  Fd end_;
  std::list<Client> clients_;  // in the order in which they were accepted
  std::vector<pollfd> fds_;    // end, listener, then the clients
  Clock::time_point next_accept_{}, text_until_{};
  std::string text_;
  std::map<HttpStatus, std::uint64_t> requests_;
  std::uint64_t evicted_ = 0, timed_out_ = 0;
  std::thread thread_;  // last, because it uses all the others
};

Result<void> MetricsServer::Server::start() {
  const std::string action = "start the thread that serves metrics";
  end_ = Fd{eventfd(0, EFD_CLOEXEC)};
  if (!end_) return Error{.action = action, .error_number = errno};
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return Error{.action = action, .error_number = error.code().value()};
  }
  return {};
}

void MetricsServer::Server::run() {
  while (wait()) {
    const auto now = Clock::now();
    auto fd = fds_.begin() + 2;
    for (auto client = clients_.begin(); client != clients_.end(); ++fd) {
      const bool is_done = fd->revents != 0 && work(*client) == Progress::kIsDone;
      const bool is_late = !is_done && now >= client->deadline;
      timed_out_ += is_late ? 1 : 0;
      client = is_done || is_late ? clients_.erase(client) : std::next(client);
    }
    if (fds_[1].revents != 0) accept_one();
  }
}

// Returns false if the thread has to end.
bool MetricsServer::Server::wait() {
  const auto now = Clock::now();
  const bool may_accept = now >= next_accept_;
  fds_ = {{end_.get(), POLLIN, 0}, {may_accept ? listener_.get() : -1, POLLIN, 0}};
  int wait_ms = may_accept ? -1 : ms_until(next_accept_);
  if (!clients_.empty()) {
    const int deadline_ms = ms_until(clients_.front().deadline);
    wait_ms = wait_ms < 0 ? deadline_ms : std::min(wait_ms, deadline_ms);
  }
  for (const Client& client : clients_)
    fds_.push_back(
        {client.fd.get(), static_cast<short>(client.is_answered() ? POLLOUT : POLLIN), 0});
  if (poll(fds_.data(), fds_.size(), wait_ms) < 0)
    for (pollfd& fd : fds_) fd.revents = 0;
  return fds_[0].revents == 0;
}

void MetricsServer::Server::accept_one() {
  next_accept_ = Clock::now() + limits_.accept_interval;
  Fd fd{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!fd) return;
  if (clients_.size() >= limits_.max_clients) {
    clients_.pop_front();
    ++evicted_;
  }
  clients_.push_back({.fd = std::move(fd), .deadline = Clock::now() + limits_.client_time});
}

MetricsServer::Server::Progress MetricsServer::Server::work(Client& client) {
  if (!client.is_answered() && read(client) == Progress::kIsDone) return Progress::kIsDone;
  return client.is_answered() ? write(client) : Progress::kWaits;
}

// Reads one piece only, so that a fast client does not hold up the others.
MetricsServer::Server::Progress MetricsServer::Server::read(Client& client) {
  std::array<char, 1024> piece;
  const std::size_t had = client.request.size();
  const std::size_t room = std::min(piece.size(), limits_.max_request_bytes - had);
  const ssize_t got = recv(client.fd.get(), piece.data(), room, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::kWaits;
  if (got <= 0) return Progress::kIsDone;
  client.request.append(piece.data(), static_cast<std::size_t>(got));
  if (has_empty_line(client.request, had))
    answer(client, status_of_request(client.request, "/metrics"));
  else if (client.request.size() == limits_.max_request_bytes)
    answer(client, HttpStatus::kHeadersTooLarge);
  return Progress::kWaits;
}

MetricsServer::Server::Progress MetricsServer::Server::write(Client& client) {
  const ssize_t sent = send(client.fd.get(), client.answer.data() + client.sent,
                            client.answer.size() - client.sent, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? Progress::kWaits : Progress::kIsDone;
  client.sent += static_cast<std::size_t>(sent);
  return client.sent == client.answer.size() ? Progress::kIsDone : Progress::kWaits;
}

void MetricsServer::Server::answer(Client& client, HttpStatus status) {
  ++requests_[status];
  client.answer = status == HttpStatus::kOk ? http_answer(status, kMetricsType, text() + own_text())
                                            : http_answer(status, kPlainType, "GET /metrics\n");
}

const std::string& MetricsServer::Server::text() {
  if (const auto now = Clock::now(); now >= text_until_) {
    text_ = source_();
    text_until_ = now + limits_.text_time;
  }
  return text_;
}

// The metrics of the listener itself: they belong to no interface.
std::string MetricsServer::Server::own_text() const {
  constexpr const char* kRequests = "nids_xdp_metrics_requests_total";
  constexpr const char* kClosed = "nids_xdp_metrics_clients_closed_total";
  std::string text =
      metric_header(kRequests, "Requests for metrics, by status code.", Kind::kCounter);
  for (const auto& [status, count] : requests_)
    text += std::string(kRequests) + "{code=\"" + std::to_string(static_cast<int>(status)) +
            "\"} " + std::to_string(count) + '\n';
  text += metric_header(kClosed,
                        "Clients that were closed before they had their answer: they took too long "
                        "(timeout), or there were too many (evicted).",
                        Kind::kCounter);
  const auto closed = [&](const char* reason, std::uint64_t count) {
    text += std::string(kClosed) + "{reason=\"" + reason + "\"} " + std::to_string(count) + '\n';
  };
  closed("timeout", timed_out_);
  closed("evicted", evicted_);
  return text;
}

MetricsServer::MetricsServer(Fd listener, Source source, const Limits& limits)
    : server_(std::make_unique<Server>(std::move(listener), std::move(source), limits)) {}

MetricsServer::~MetricsServer() = default;

Result<void> MetricsServer::start() { return server_->start(); }

}  // namespace nids
