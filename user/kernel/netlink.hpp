// SPDX-License-Identifier: Apache-2.0
// Interface facts from rtnetlink, of the network namespace that the process is in. Changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

struct LinkFacts {
  int ifindex = 0;
  std::string name;
  std::string kind;  // "veth", "bridge", ...; empty for hardware
  std::uint32_t mtu = 0;
  bool is_up = false;
};

[[nodiscard]] Result<std::vector<LinkFacts>> list_links();
// An error names the interfaces there are.
[[nodiscard]] Result<LinkFacts> find_link(const std::string& name);
// The interface of the default route with the lowest metric, IPv4 before IPv6.
[[nodiscard]] Result<LinkFacts> default_route_link();

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
  std::vector<LinkChange> read();  // what has come so far; never blocks

 private:
  explicit LinkMonitor(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace nids
