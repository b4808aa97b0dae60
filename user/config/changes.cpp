// SPDX-License-Identifier: Apache-2.0
#include "config/changes.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>

#include "config/ports.hpp"
#include "config/wording.hpp"

namespace nids {
namespace {

std::string ports_of(const ProtocolClass& one) {
  std::string text;
  for (const PortRange& range : one.ports) text += (text.empty() ? "" : ", ") + ports_text(range);
  return text.empty() ? "no port" : text;
}

std::string interest_of(const ProtocolClass& one) {
  return std::string(kInterestNames[one.interest]);
}

const ProtocolClass* find_class(const std::vector<ProtocolClass>& classes, std::string_view name) {
  const auto found = std::ranges::find(classes, name, &ProtocolClass::name);
  return found == classes.end() ? nullptr : &*found;
}

std::string changes_of(const ProtocolClass& before, const ProtocolClass& now) {
  std::string text;
  const auto add = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was == is) return;
    text += (text.empty() ? "" : "; ") + std::string(what) + ' ' + was + " -> " + is;
  };
  add("ports", ports_of(before), ports_of(now));
  add("severity", std::to_string(before.severity), std::to_string(now.severity));
  add("interest", interest_of(before), interest_of(now));
  add("depth", size_text(before.depth_bytes), size_text(now.depth_bytes));
  add("identify_packets", std::to_string(before.identify_packets),
      std::to_string(now.identify_packets));
  return text;
}

// Returns the values of a dump by the full names of their keys. Each line of a dump has one key.
std::map<std::string, std::string> values_of(Config config) {
  config.classes.clear();
  std::map<std::string, std::string> values;
  std::istringstream lines(dump_config(config));
  std::string table, line;
  while (std::getline(lines, line)) {
    if (line.starts_with('[')) table = line.substr(1, line.find(']') - 1) + '.';
    const auto equals = line.find(" = ");
    if (!line.starts_with('#') && equals != line.npos)
      values[table + line.substr(0, equals)] = line.substr(equals);
  }
  return values;
}

}  // namespace

std::vector<std::string> class_changes(const std::vector<ProtocolClass>& before,
                                       const std::vector<ProtocolClass>& now) {
  std::vector<std::string> lines;
  for (const ProtocolClass& one : now) {
    const ProtocolClass* was = find_class(before, one.name);
    const std::string text = was ? changes_of(*was, one)
                                 : "added: " + ports_of(one) + ", severity " +
                                       std::to_string(one.severity) + ", " + interest_of(one);
    if (!text.empty()) lines.push_back("class " + one.name + ": " + text);
  }
  for (const ProtocolClass& one : before)
    if (!find_class(now, one.name)) lines.push_back("class " + one.name + ": removed");
  return lines;
}

std::vector<std::string> changed_keys(const Config& before, const Config& now) {
  std::vector<std::string> keys;
  const auto old = values_of(before), values = values_of(now);
  for (const auto& [key, value] : values) {
    const auto was = old.find(key);
    if (was == old.end() || was->second != value) keys.push_back(key);
  }
  for (const auto& [key, value] : old)
    if (!values.contains(key)) keys.push_back(key);
  return keys;
}

}  // namespace nids
