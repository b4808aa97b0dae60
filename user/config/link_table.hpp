// SPDX-License-Identifier: Apache-2.0
// The table [links] of the TOML: names of links, each with its interfaces. Only for parse.cpp. Does
// not check that the interfaces exist.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/values.hpp"
#include "config/wording.hpp"

namespace nids {

inline bool is_link_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !name.empty() && name.size() <= kMaxLinkName &&
         name.find_first_not_of(kAllowed) == name.npos;
}

// Accepts each name and alternative name that the kernel accepts.
inline bool is_interface_name(std::string_view name) {
  constexpr std::size_t kMaxBytes = 127;
  return !name.empty() && name.size() <= kMaxBytes &&
         name.find_first_of(std::string_view("\0/", 2)) == name.npos;
}

inline void read_interface(const toml::node& node, const std::string& name,
                           const std::vector<Config::Link>& links, Config::Link& link,
                           Problems& problems) {
  const auto* text = node.as_string();
  if (text == nullptr) return mismatch(node, name, "the name of an interface", problems);
  const std::string& interface = text->get();
  if (!is_interface_name(interface))
    return problems.add(node, name,
                        "expected the name of an interface, found " + quoted(interface));
  const auto has = [&](const Config::Link& one) {
    return std::ranges::find(one.interfaces, interface) != one.interfaces.end();
  };
  if (has(link)) return problems.add(node, name, "has " + quoted(interface) + " twice");
  for (const Config::Link& other : links)
    if (has(other))
      return problems.add(node, name,
                          "claims " + quoted(interface) + ", which the link " + other.name +
                              " has: expected each interface in one link at most");
  link.interfaces.push_back(interface);
}

inline void read_link(const toml::key& key, const toml::node& node, const std::string& table,
                      std::vector<Config::Link>& links, Problems& problems) {
  const std::string name = table + '.' + visible(key.str());
  if (!is_link_name(key.str()))
    return problems.add(key.source().begin, "link name " + quoted(key.str()) + ": expected 1 to " +
                                                std::to_string(kMaxLinkName) +
                                                " of A-Z, a-z, 0-9, - and _");
  const toml::array* array = node.as_array();
  if (array == nullptr)
    return mismatch(node, name, "an array such as [\"eth1\", \"eth2\"]", problems);
  if (array->size() < 2 || array->size() > kMaxInterfacesOfLink)
    return problems.add(node, name,
                        "expected 2 to " + std::to_string(kMaxInterfacesOfLink) +
                            " interfaces, found " + std::to_string(array->size()));
  Config::Link link{.name = std::string(key.str()), .interfaces = {}};
  for (const toml::node& element : *array) read_interface(element, name, links, link, problems);
  links.push_back(std::move(link));
}

inline Read links(std::vector<Config::Link>& out) {
  return [&out](const toml::node& node, const std::string& name, Problems& problems) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return mismatch(node, name, "a table", problems);
    if (table->size() > kMaxLinks)
      return problems.add(node, name,
                          "expected at most " + std::to_string(kMaxLinks) + " links, found " +
                              std::to_string(table->size()));
    for (const auto& [key, value] : *table) read_link(key, value, name, out, problems);
  };
}

}  // namespace nids
