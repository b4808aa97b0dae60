// SPDX-License-Identifier: Apache-2.0
#include "agent/reload_door.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "agent/unix_listener.hpp"

namespace nids {
namespace {

constexpr auto kToAsk = std::chrono::seconds(2);

// The socket's mode lets only root connect. This check also holds if somebody changes the mode.
bool is_own_user(int client) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

}  // namespace

std::string reload_path(const std::string& run_directory, std::uint64_t pid) {
  return run_directory + "/reload-" + std::to_string(pid) + ".sock";
}

Result<void> ReloadDoor::open(const std::string& path) {
  auto listener = listen_at(path, -1);
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  path_ = path;
  return {};
}

void ReloadDoor::add_to(std::vector<pollfd>& fds) const {
  if (client_)
    fds.push_back({client_.get(), POLLIN, 0});
  else if (listener_)
    fds.push_back({listener_.get(), POLLIN, 0});
}

void ReloadDoor::let_in() {
  client_ = Fd{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (client_ && !is_own_user(client_.get())) client_ = Fd{};
  question_.clear();
  deadline_ = std::chrono::steady_clock::now() + kToAsk;
}

bool ReloadDoor::is_asked() {
  if (!client_ && listener_) let_in();
  if (!client_) return false;
  std::array<char, kReloadQuestion.size()> bytes;
  const ssize_t got = recv(client_.get(), bytes.data(), bytes.size() - question_.size(), 0);
  if (got > 0) question_.append(bytes.data(), static_cast<std::size_t>(got));
  if (question_ == kReloadQuestion) return true;
  const bool waits = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  const bool is_beginning = kReloadQuestion.starts_with(question_);
  if (!waits || !is_beginning || std::chrono::steady_clock::now() > deadline_) client_ = Fd{};
  return false;
}

// One send() is enough, because the socket's buffer is much larger than any answer.
void ReloadDoor::answer(bool is_done, std::string_view text) {
  const std::string whole = (is_done ? kReloadDone : kReloadRefused) + std::string(text);
  static_cast<void>(send(client_.get(), whole.data(), whole.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  client_ = Fd{};
}

void ReloadDoor::remove() {
  if (!path_.empty()) unlink(path_.c_str());
  close();
}

void ReloadDoor::close() {
  listener_ = Fd{};
  client_ = Fd{};
}

}  // namespace nids
