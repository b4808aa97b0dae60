// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink.hpp"

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <span>

namespace nids {
namespace {

// Of news about links that wait to be read: thousands.
constexpr int kNewsBytes = 1 << 20;

using OnMessage = std::function<void(const nlmsghdr&)>;

Result<Fd> open_socket(std::uint32_t groups) {
  Fd fd{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return Error{.action = "open a netlink socket", .error_number = errno};
  return fd;
}

// Calls back for each message of a datagram; false after the last of a dump.
bool each_message(std::span<char> datagram, const OnMessage& on_message, int& error_number) {
  auto left = static_cast<unsigned>(datagram.size());
  for (auto* head = reinterpret_cast<nlmsghdr*>(datagram.data()); NLMSG_OK(head, left);
       head = NLMSG_NEXT(head, left)) {
    if (head->nlmsg_type == NLMSG_DONE) return false;
    if (head->nlmsg_type == NLMSG_ERROR) {
      if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr)))
        error_number = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      return false;
    }
    on_message(*head);
  }
  return true;
}

template <class Body>
Result<void> dump(std::uint16_t type, const Body& body, const OnMessage& on_message) {
  auto socket = open_socket(0);
  if (!socket) return socket.error();
  struct {
    nlmsghdr head;
    Body body;
  } request{};
  request.head.nlmsg_len = sizeof(request);
  request.head.nlmsg_type = type;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body = body;
  if (send(socket->get(), &request, sizeof(request), 0) < 0)
    return Error{.action = "ask netlink", .error_number = errno};
  int error_number = 0;
  alignas(nlmsghdr) std::array<char, 65'536> buffer;
  for (bool more = true; more;) {
    const ssize_t got = recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{.action = "read from netlink", .error_number = errno};
    more = each_message({buffer.data(), static_cast<std::size_t>(got)}, on_message, error_number);
  }
  if (error_number != 0) return Error{.action = "ask netlink", .error_number = error_number};
  return {};
}

// Calls back with type and value of each attribute behind a fixed header.
template <class Header>
void each_attribute(
    const nlmsghdr& message,
    const std::function<void(unsigned short, std::span<const char>)>& on_attribute) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(Header))) return;
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof(Header)));
  const auto* attribute = reinterpret_cast<const rtattr*>(
      static_cast<const char*>(NLMSG_DATA(&message)) + NLMSG_ALIGN(sizeof(Header)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    on_attribute(attribute->rta_type,
                 {static_cast<const char*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute)});
}

std::string text(std::span<const char> value) {
  return {value.data(), strnlen(value.data(), value.size())};
}

std::uint32_t number(std::span<const char> value) {
  std::uint32_t n = 0;
  if (value.size() >= sizeof(n)) std::memcpy(&n, value.data(), sizeof(n));
  return n;
}

// Of those that stand inside another one.
std::optional<std::span<const char>> inner_attribute(std::span<const char> outer,
                                                     unsigned short type) {
  auto left = static_cast<int>(outer.size());
  const auto* attribute = reinterpret_cast<const rtattr*>(outer.data());
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    if (attribute->rta_type == type)
      return std::span{static_cast<const char*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute)};
  return std::nullopt;
}

LinkFacts link_facts(const nlmsghdr& message) {
  LinkFacts link;
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return link;
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  link.ifindex = info->ifi_index;
  link.type = info->ifi_type;
  link.is_up = (info->ifi_flags & IFF_UP) != 0;
  each_attribute<ifinfomsg>(message, [&](unsigned short type, std::span<const char> value) {
    if (type == IFLA_IFNAME) link.name = text(value);
    if (type == IFLA_MTU) link.mtu = number(value);
    if (type == IFLA_LINKINFO)
      if (const auto kind = inner_attribute(value, IFLA_INFO_KIND)) link.kind = text(*kind);
    if (type == IFLA_PARENT_DEV_BUS_NAME) link.bus = text(value);
    if (type == IFLA_MASTER) link.master = static_cast<int>(number(value));
    if (type == IFLA_LINK) link.other = static_cast<int>(number(value));
    if (type == IFLA_LINK_NETNSID) link.other_netns = static_cast<int>(number(value));
  });
  return link;
}

// Nothing for what is no filter that packets meet: the head of those of one priority, and those in
// chains, to which other filters send packets.
std::optional<FilterFacts> filter_facts(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(tcmsg))) return std::nullopt;
  const auto* header = static_cast<const tcmsg*>(NLMSG_DATA(&message));
  FilterFacts filter;
  filter.handle = header->tcm_handle;
  filter.priority = TC_H_MAJ(header->tcm_info) >> 16;
  filter.protocol = ntohs(static_cast<std::uint16_t>(TC_H_MIN(header->tcm_info)));
  bool is_in_chain = false;
  each_attribute<tcmsg>(message, [&](unsigned short type, std::span<const char> value) {
    if (type == TCA_KIND) filter.kind = text(value);
    if (type == TCA_CHAIN) is_in_chain = number(value) != 0;
    if (type == TCA_OPTIONS)
      if (const auto id = inner_attribute(value, TCA_BPF_ID)) filter.program_id = number(*id);
  });
  if (filter.kind != "bpf") filter.program_id = 0;  // the number means something else there
  if (filter.handle == 0 || is_in_chain) return std::nullopt;
  return filter;
}

// A name that somebody typed may hold a line's end, after which it could say anything; no
// interface's does.
std::string on_one_line(std::string name) {
  for (std::size_t at = 0; (at = name.find('\n', at)) != std::string::npos;)
    name.replace(at, 1, "\\x0a");
  return name;
}

struct Route {
  int ifindex = 0;
  std::uint32_t metric = 0;
};

std::optional<Route> default_route(std::uint8_t family) {
  std::optional<Route> best;
  rtmsg body{};
  body.rtm_family = family;
  const auto on_route = [&](const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) return;
    const auto* header = static_cast<const rtmsg*>(NLMSG_DATA(&message));
    if (header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN ||
        header->rtm_type != RTN_UNICAST)
      return;
    Route route;
    each_attribute<rtmsg>(message, [&](unsigned short type, std::span<const char> value) {
      if (type == RTA_OIF) route.ifindex = static_cast<int>(number(value));
      if (type == RTA_PRIORITY) route.metric = number(value);
    });
    if (route.ifindex != 0 && (!best || route.metric < best->metric)) best = route;
  };
  if (!dump(RTM_GETROUTE, body, on_route)) return std::nullopt;
  return best;
}

}  // namespace

Result<std::vector<LinkFacts>> list_links() {
  std::vector<LinkFacts> links;
  auto done = dump(RTM_GETLINK, ifinfomsg{}, [&](const nlmsghdr& message) {
    if (message.nlmsg_type == RTM_NEWLINK) links.push_back(link_facts(message));
  });
  if (!done) return done.error();
  return links;
}

Result<LinkFacts> find_link(const std::string& name) {
  auto links = list_links();
  if (!links) return links.error();
  std::string known;
  for (const LinkFacts& link : *links) {
    if (link.name == name) return link;
    known += (known.empty() ? "" : ", ") + link.name;
  }
  return Error{.action = "find interface " + on_one_line(name),
               .reason = "no such interface in this network namespace",
               .hint = "there are: " + known};
}

Result<LinkFacts> default_route_link() {
  auto links = list_links();
  if (!links) return links.error();
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}})
    if (const auto route = default_route(family))
      for (const LinkFacts& link : *links)
        if (link.ifindex == route->ifindex) return link;
  return Error{.action = "choose an interface",
               .reason = "there is no default route",
               .hint = "name one: nids-xdp attach IFACE"};
}

Result<std::vector<FilterFacts>> list_filters(int ifindex, bool is_egress) {
  std::vector<FilterFacts> filters;
  tcmsg body{};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = ifindex;
  body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, is_egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
  auto done = dump(RTM_GETTFILTER, body, [&](const nlmsghdr& message) {
    if (auto filter = filter_facts(message)) filters.push_back(std::move(*filter));
  });
  if (!done) return done.error();
  return filters;
}

Result<std::size_t> count_clsact_filters(int ifindex) {
  std::size_t count = 0;
  for (const std::uint32_t hook : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
    tcmsg body{};
    body.tcm_family = AF_UNSPEC;
    body.tcm_ifindex = ifindex;
    body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
    auto done = dump(RTM_GETTFILTER, body, [&](const nlmsghdr&) { ++count; });
    if (!done) return done.error();
  }
  return count;
}

Result<LinkMonitor> LinkMonitor::open() {
  auto socket = open_socket(RTMGRP_LINK);
  if (!socket) return socket.error();
  // Without the capability for it the buffer stays as it is, and news is lost sooner.
  setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUFFORCE, &kNewsBytes, sizeof(kNewsBytes));
  LinkMonitor monitor{std::move(*socket)};
  auto links = list_links();
  if (!links) return links.error();
  for (const LinkFacts& link : *links) monitor.known_.insert(link.ifindex);
  return monitor;
}

void LinkMonitor::compare(std::vector<LinkChange>& changes) {
  auto links = list_links();
  if (!links) return;  // the next call tries again
  has_lost_news_ = false;
  std::set<int> gone;
  gone.swap(known_);
  for (LinkFacts& link : *links) {
    gone.erase(link.ifindex);
    known_.insert(link.ifindex);
    changes.push_back({std::move(link), false});
  }
  for (const int ifindex : gone) {
    LinkFacts link;
    link.ifindex = ifindex;
    changes.push_back({std::move(link), true});
  }
}

std::vector<LinkChange> LinkMonitor::read() {
  std::vector<LinkChange> changes;
  alignas(nlmsghdr) std::array<char, 65'536> buffer;
  int ignored = 0;
  const auto take = [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return;
    const bool is_deleted = message.nlmsg_type == RTM_DELLINK;
    changes.push_back({link_facts(message), is_deleted});
    if (is_deleted)
      known_.erase(changes.back().link.ifindex);
    else
      known_.insert(changes.back().link.ifindex);
  };
  for (;;) {
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      has_lost_news_ = true;
      continue;  // what comes after the gap
    }
    if (got <= 0) break;
    each_message({buffer.data(), static_cast<std::size_t>(got)}, take, ignored);
  }
  if (has_lost_news_) compare(changes);
  return changes;
}

}  // namespace nids
