// SPDX-License-Identifier: Apache-2.0
#include "kernel/netns.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "kernel/shell_word.hpp"

namespace nids {
namespace {

constexpr int kNoId = -1;

// The number that this namespace gives to the namespace of the descriptor; kNoId: none.
int id_of(int netns) {
  const Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  struct {
    nlmsghdr head;
    rtgenmsg body;
    alignas(NLMSG_ALIGNTO) rtattr attribute;
    int fd;
  } request{};
  request.head.nlmsg_len = sizeof(request);
  request.head.nlmsg_type = RTM_GETNSID;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  request.attribute = {.rta_len = RTA_LENGTH(sizeof(int)), .rta_type = NETNSA_FD};
  request.fd = netns;
  if (!socket || send(socket.get(), &request, sizeof(request), 0) < 0) return kNoId;
  alignas(nlmsghdr) std::array<char, 4096> answer;
  const ssize_t got = recv(socket.get(), answer.data(), answer.size(), 0);
  const auto* head = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (got < 0 || !NLMSG_OK(head, static_cast<unsigned>(got)) || head->nlmsg_type != RTM_NEWNSID)
    return kNoId;
  constexpr unsigned kBefore = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(rtgenmsg)));
  if (head->nlmsg_len < kBefore) return kNoId;
  auto left = static_cast<int>(head->nlmsg_len - kBefore);
  const auto* attribute = reinterpret_cast<const rtattr*>(answer.data() + kBefore);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    int id = kNoId;
    if (attribute->rta_type != NETNSA_NSID || RTA_PAYLOAD(attribute) < sizeof(id)) continue;
    std::memcpy(&id, RTA_DATA(attribute), sizeof(id));
    return id;
  }
  return kNoId;
}

// A namespace has many names. The search asks about each namespace once.
class Search {
 public:
  explicit Search(int id) : id_(id) {}

  std::optional<Fd> try_file(const std::string& path) {
    struct stat about {};
    if (stat(path.c_str(), &about) != 0 || !seen_.insert({about.st_dev, about.st_ino}).second)
      return {};
    Fd fd{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct statfs system {};
    if (!fd || fstatfs(fd.get(), &system) != 0 || system.f_type != NSFS_MAGIC ||
        id_of(fd.get()) != id_)
      return {};
    return fd;
  }

 private:
  int id_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

std::vector<std::string> names_in(const char* folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename());
  return names;
}

bool is_pid(const std::string& name) {
  return std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<NetNamespace> find_netns(int id) {
  if (id < 0) return std::nullopt;
  Search search(id);
  for (const std::string& name : names_in("/run/netns"))
    if (auto fd = search.try_file("/run/netns/" + name))
      return NetNamespace{std::move(*fd), "ip netns exec " + shell_word(name)};
  for (const std::string& name : names_in("/proc"))
    if (is_pid(name))
      if (auto fd = search.try_file("/proc/" + name + "/ns/net"))
        return NetNamespace{std::move(*fd), "nsenter -t " + name + " -n"};
  return std::nullopt;
}

bool look_into(const NetNamespace& there, const std::function<void()>& look) {
  bool is_there = false;
  const auto enter = [&] {
    is_there = setns(there.fd.get(), CLONE_NEWNET) == 0;
    if (is_there) look();
  };
  try {
    std::thread(enter).join();
  } catch (const std::system_error&) {
    return false;  // no thread can be had
  }
  return is_there;
}

}  // namespace nids
