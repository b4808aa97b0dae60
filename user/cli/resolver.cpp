// SPDX-License-Identifier: Apache-2.0
#include "cli/resolver.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr std::size_t kNameMaxBytes = 253;  // RFC 1035, as text

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t ip_version = 0;
  auto operator<=>(const Address&) const = default;
};

std::string asked_of_system(const std::uint8_t (&address)[16], std::uint8_t ip_version) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (ip_version == 4) {
    sockaddr_in ipv4{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&ipv4.sin_addr, address, sizeof(ipv4.sin_addr));
    std::memcpy(&storage, &ipv4, length = sizeof(ipv4));
  } else {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    std::memcpy(&ipv6.sin6_addr, address, sizeof(ipv6.sin6_addr));
    std::memcpy(&storage, &ipv6, length = sizeof(ipv6));
  }
  char name[NI_MAXHOST];
  const auto* const socket_address = reinterpret_cast<const sockaddr*>(&storage);
  const int failure =
      getnameinfo(socket_address, length, name, sizeof(name), nullptr, 0, NI_NAMEREQD);
  return failure == 0 ? name : std::string{};
}

// A detached thread must not take the signals that the command waits for.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

// Outlives the resolver as long as a look-up is under way.
struct Resolver::Shared {
  Shared(Limits bounds, LookUp function) : limits(bounds), look_up(std::move(function)) {}

  const Limits limits;
  const LookUp look_up;
  std::mutex mutex;
  std::condition_variable asked;
  bool is_ended = false;
  std::deque<Address> waiting;
  std::map<Address, std::optional<std::string>> names;  // nothing: asked for; empty: has none
  std::deque<Address> oldest_first;                     // of names
};

Resolver::LookUp Resolver::system_look_up() { return asked_of_system; }

Resolver::Resolver(Limits limits, LookUp look_up)
    : shared_(std::make_shared<Shared>(limits, std::move(look_up))) {
  const SignalsBlocked blocked;
  try {
    std::thread(answer, shared_).detach();
  } catch (const std::system_error&) {
    // Without a thread no address has a name.
  }
}

Resolver::~Resolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->is_ended = true;
  shared_->asked.notify_all();
}

std::optional<std::string> Resolver::name_of(const std::uint8_t (&address)[16],
                                             std::uint8_t ip_version) {
  Address wanted{.bytes = {}, .ip_version = ip_version};
  std::memcpy(wanted.bytes.data(), address, ip_version == 4 ? 4 : 16);

  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  const auto known = shared.names.find(wanted);
  if (known != shared.names.end()) {
    const auto& name = known->second;
    return name && !name->empty() ? name : std::nullopt;
  }
  if (shared.waiting.size() >= shared.limits.max_waiting) return std::nullopt;
  if (shared.names.size() >= shared.limits.max_names && !shared.oldest_first.empty()) {
    shared.names.erase(shared.oldest_first.front());
    shared.oldest_first.pop_front();
  }
  shared.names.emplace(wanted, std::nullopt);
  shared.oldest_first.push_back(wanted);
  shared.waiting.push_back(wanted);
  shared.asked.notify_one();
  return std::nullopt;
}

void Resolver::answer(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->asked.wait(lock, [&] { return shared->is_ended || !shared->waiting.empty(); });
    if (shared->is_ended) return;
    const Address address = shared->waiting.front();
    shared->waiting.pop_front();

    lock.unlock();
    std::uint8_t bytes[16];
    std::memcpy(bytes, address.bytes.data(), sizeof(bytes));
    std::string name = printable(shared->look_up(bytes, address.ip_version), kNameMaxBytes);
    lock.lock();
    // It may have been forgotten meanwhile.
    if (const auto found = shared->names.find(address); found != shared->names.end())
      found->second = std::move(name);
  }
}

}  // namespace nids
