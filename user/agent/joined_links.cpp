// SPDX-License-Identifier: Apache-2.0
#include "agent/joined_links.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "nids/join.hpp"

namespace nids {
namespace {

// The configuration may use an alternative name of the interface.
std::optional<std::uint32_t> index_of(const std::string& name,
                                      const std::vector<LinkFacts>& watched) {
  const auto named = std::ranges::find(watched, name, &LinkFacts::name);
  if (named != watched.end()) return static_cast<std::uint32_t>(named->ifindex);
  const auto other = find_link(name);
  if (!other || std::ranges::find(watched, other->ifindex, &LinkFacts::ifindex) == watched.end())
    return std::nullopt;
  return static_cast<std::uint32_t>(other->ifindex);
}

Error not_joined(const Config::Link& link, std::string reason) {
  return Error{.action = "join the link " + link.name + " (" + join(link.interfaces) + ")",
               .reason = std::move(reason),
               .hint = "attach to all of its interfaces with one command, or change [links]"};
}

}  // namespace

Result<Links> join_interfaces(const std::vector<Config::Link>& links,
                              const std::vector<LinkFacts>& watched, const Callbacks& callbacks) {
  std::vector<Links::Link> joined;
  std::vector<std::uint32_t> taken;
  for (const Config::Link& link : links) {
    Links::Link found{.name = link.name, .interfaces = {}};
    std::vector<std::string> missing;
    for (const std::string& name : link.interfaces) {
      const auto ifindex = index_of(name, watched);
      if (!ifindex) {
        missing.push_back(name);
        continue;
      }
      if (std::ranges::find(taken, *ifindex) != taken.end())
        return not_joined(link, name + " is another name of an interface that a link has already");
      taken.push_back(*ifindex);
      found.interfaces.push_back(*ifindex);
    }
    if (found.interfaces.empty()) {
      callbacks.warning("the link " + link.name +
                        " has none of the interfaces that are watched; it is ignored");
      continue;
    }
    if (!missing.empty())
      return not_joined(link, join(missing) + (missing.size() == 1 ? " is" : " are") +
                                  " not watched, so each flow would have one direction only");
    callbacks.info("the flows of " + join(link.interfaces) + " join: one link, " + link.name);
    joined.push_back(std::move(found));
  }
  return Links(joined);
}

Links links_among(const Links& links, const std::vector<std::uint32_t>& interfaces) {
  std::map<std::string, Links::Link> left;  // by name
  for (const std::uint32_t ifindex : interfaces) {
    const Links::Link* link = links.find(links.id_of(ifindex));
    if (link == nullptr) continue;
    left[link->name].name = link->name;
    left[link->name].interfaces.push_back(ifindex);
  }
  std::vector<Links::Link> all;
  for (auto& [name, link] : left) all.push_back(std::move(link));
  return Links(all);
}

}  // namespace nids
