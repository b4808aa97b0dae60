// SPDX-License-Identifier: Apache-2.0
// Interface facts from rtnetlink, of the network namespace that the process is in. Changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

struct LinkFacts {
  int ifindex = 0;
  std::string name;
  std::string kind;  // "veth", "bridge", ...; empty for hardware
  std::string bus;   // that the device is on: "pci", "virtio", ...; empty for most of a kind
  std::uint32_t mtu = 0;
  std::uint16_t type = 0;  // ARPHRD_*: what frames begin with
  bool is_up = false;
  int master = 0;  // ifindex of the bridge or bond that it is a port of; 0: none
  int other = 0;   // ifindex of the other end of a veth, or of the interface below; 0: none
  // The number that this network namespace gives to the namespace of `other`. Nothing: `other` is
  // in this one. -1: no number.
  std::optional<int> other_netns;
};

[[nodiscard]] Result<std::vector<LinkFacts>> list_links();
// An error names the interfaces there are.
[[nodiscard]] Result<LinkFacts> find_link(const std::string& name);
// The interface of the default route with the lowest metric, IPv4 before IPv6.
[[nodiscard]] Result<LinkFacts> default_route_link();

// One filter of a tc hook.
struct FilterFacts {
  std::uint32_t handle = 0;
  std::uint32_t priority = 0;
  std::uint16_t protocol = 0;  // ETH_P_*
  std::string kind;            // "bpf", "flower", ...
  std::uint32_t program_id = 0;
};
// Those of a clsact hook in the order in which packets meet them; none where there is no clsact.
[[nodiscard]] Result<std::vector<FilterFacts>> list_filters(int ifindex, bool is_egress);
// How many tc filters hang on the clsact hooks of an interface, whoever made them.
[[nodiscard]] Result<std::size_t> count_clsact_filters(int ifindex);

// One change of a link, as it happened.
struct LinkChange {
  LinkFacts link;
  bool deleted = false;
};

// Tells of links that change, go up or down, are renamed or deleted.
class LinkMonitor {
 public:
  [[nodiscard]] static Result<LinkMonitor> open();
  int fd() const { return socket_.get(); }
  // What has come so far; never blocks. Where the kernel had to drop news, the links as they are
  // now stand for it, and those that are missing among them are deleted.
  std::vector<LinkChange> read();

 private:
  explicit LinkMonitor(Fd socket) : socket_(std::move(socket)) {}
  void compare(std::vector<LinkChange>& changes);
  Fd socket_;
  std::set<int> known_;  // interface indexes
  bool has_lost_news_ = false;
};

}  // namespace nids
