// SPDX-License-Identifier: Apache-2.0
// Which interfaces carry parts of one link, for example the two directions of a network tap. Flows
// of such interfaces join. Knows ifindexes and names, and makes no system call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nids {

class Links {
 public:
  struct Link {
    std::string name;
    std::vector<std::uint32_t> interfaces;  // by ifindex; each is in one link at most
  };

  Links() = default;
  explicit Links(const std::vector<Link>& links) {
    for (const Link& link : links) {
      if (link.interfaces.empty()) continue;
      const std::uint32_t id = *std::ranges::min_element(link.interfaces);
      links_.emplace(id, link);
      for (const std::uint32_t ifindex : link.interfaces) ids_.emplace_back(ifindex, id);
    }
    std::ranges::sort(ids_);
  }

  // Returns the id for the key of a flow: the lowest ifindex of the link, or `ifindex` if the
  // interface is in no link.
  std::uint32_t id_of(std::uint32_t ifindex) const {
    const auto found = std::ranges::lower_bound(ids_, ifindex, {}, &Id::first);
    return found != ids_.end() && found->first == ifindex ? found->second : ifindex;
  }
  // Returns null if `id` is the ifindex of an interface in no link.
  const Link* find(std::uint32_t id) const {
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : &found->second;
  }
  // Visits every interface whose flows have this id.
  template <class Visitor>
  void each_interface(std::uint32_t id, Visitor visit) const {
    const Link* link = find(id);
    if (link == nullptr) return visit(id);
    for (const std::uint32_t ifindex : link->interfaces) visit(ifindex);
  }

 private:
  using Id = std::pair<std::uint32_t, std::uint32_t>;
  std::vector<Id> ids_;                  // ifindex and link id, sorted: looked up for each packet
  std::map<std::uint32_t, Link> links_;  // by id
};

}  // namespace nids
