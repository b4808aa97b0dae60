// SPDX-License-Identifier: Apache-2.0
// The names of interfaces and protocol classes, as outputs write them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "net/links.hpp"

namespace nids {

struct Names {
  std::map<std::uint32_t, std::string> interfaces{};  // by ifindex
  std::vector<std::string> classes{""};               // by class index; index 0: no class
  Links links{};

  // Empty if the interface is not known.
  const std::string& interface(std::uint32_t ifindex) const {
    static const std::string none;
    const auto named = interfaces.find(ifindex);
    return named == interfaces.end() ? none : named->second;
  }
  // For flows and scan alerts: the name of the link, or of the interface if it is in no link.
  const std::string& link(std::uint32_t id) const {
    const Links::Link* joined = links.find(id);
    return joined == nullptr ? interface(id) : joined->name;
  }
  const std::string& class_name(std::uint8_t class_id) const {
    return classes[std::min<std::size_t>(class_id, classes.size() - 1)];
  }
};

}  // namespace nids
