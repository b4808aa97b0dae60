// SPDX-License-Identifier: Apache-2.0
// The table [classes] of the TOML: built-in classes changed, new ones appended, each port in one
// class. Only for parse.cpp; knows nothing of the rest of the configuration.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/ports.hpp"
#include "config/values.hpp"
#include "config/wording.hpp"

namespace nids {

inline constexpr std::size_t kMaxClasses = NIDS_CLASS_MAX - 1;
inline constexpr std::uint32_t kConfiguredSignature = 1999;
inline constexpr std::uint64_t kMaxDepthBytes = std::numeric_limits<std::uint32_t>::max();

// Classes, each with the ports that the file gives it.
class ClassTable {
 public:
  explicit ClassTable(std::vector<ProtocolClass>& classes)
      : classes_(classes), builtin_(classes.size()), has_ports_(classes.size()) {}

  void read(const toml::node& node, const std::string& name, Problems& problems);
  void report_clashes(Problems& problems) const;

 private:
  struct Listed {
    toml::source_position at;
    PortRange range;
    std::size_t owner;
  };

  void read_class(const toml::key& key, const toml::node& node, Problems& problems);
  std::size_t find_or_add(const toml::key& key, Problems& problems);
  void read_ports(std::size_t index, const toml::node& node, const std::string& name,
                  Problems& problems);
  std::string clash_text(const Listed& listed, const PortOwners::Clash& clash) const;

  std::vector<ProtocolClass>& classes_;
  std::size_t builtin_;
  std::vector<bool> has_ports_;  // from the file, by index
  std::vector<Listed> listed_;
};

inline void ClassTable::read(const toml::node& node, const std::string& name, Problems& problems) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return mismatch(node, name, "a table", problems);

  // The index of a new class is its place in the file, and toml++ sorts by name.
  using Entry = std::pair<const toml::key*, const toml::node*>;
  std::vector<Entry> entries;
  for (const auto& [key, value] : *table) entries.emplace_back(&key, &value);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.first->source().begin < b.first->source().begin;
  });
  for (const auto& [key, value] : entries) read_class(*key, *value, problems);
}

inline bool is_class_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() < NIDS_CLASS_NAME_MAX &&
         name.find_first_not_of(kAllowed) == name.npos;
}

inline std::size_t ClassTable::find_or_add(const toml::key& key, Problems& problems) {
  // TOML has no key twice, so a new name is never that of an earlier new class.
  for (std::size_t i = 0; i < builtin_; ++i)
    if (classes_[i].name == key.str()) return i;

  if (!is_class_name(key.str()))
    problems.add(key.source().begin, "class name " + quoted(key.str()) + ": expected 1 to " +
                                         std::to_string(NIDS_CLASS_NAME_MAX - 1) +
                                         " of a-z, 0-9 and -");
  if (classes_.size() >= kMaxClasses)
    problems.add(key.source().begin, "class " + quoted(key.str()) + " is one too many: expected " +
                                         std::to_string(kMaxClasses) + " at most, " +
                                         std::to_string(builtin_) + " of them built in");
  ProtocolClass added;
  added.name = key.str();
  added.signature_id = kConfiguredSignature;
  classes_.push_back(std::move(added));
  has_ports_.push_back(false);
  return classes_.size() - 1;
}

inline Read interest(nids_interest& out) {
  return [&out](const toml::node& node, const std::string& name, Problems& problems) {
    const auto* text = node.as_string();
    if (text == nullptr) return mismatch(node, name, "an interest such as \"inspect\"", problems);
    const auto found = std::find(kInterestNames.begin(), kInterestNames.end(), text->get());
    if (found == kInterestNames.end())
      return problems.add(
          node, name,
          "no interest is called " + quoted(text->get()) + suggestion(text->get(), kInterestNames));
    out = static_cast<nids_interest>(found - kInterestNames.begin());
  };
}

inline void ClassTable::read_class(const toml::key& key, const toml::node& node,
                                   Problems& problems) {
  const std::string name = "classes." + visible(key.str());
  const toml::table* table = node.as_table();
  if (table == nullptr) return mismatch(node, name, "a table", problems);

  const std::size_t index = find_or_add(key, problems);
  ProtocolClass& made = classes_[index];
  const Read ports = [this, index](const toml::node& value, const std::string& full_name,
                                   Problems& found) { read_ports(index, value, full_name, found); };
  read_keys(*table, name,
            {{"ports", ports},
             {"severity", integer(made.severity, {1, 3})},
             {"interest", interest(made.interest)},
             {"depth", size(made.depth_bytes, {1, kMaxDepthBytes})},
             {"identify_packets", integer(made.identify_packets, {1, 255})}},
            problems);
  if (has_ports_[index] || index < builtin_) return;

  std::vector<std::string_view> builtin_names;
  for (std::size_t i = 0; i < builtin_; ++i) builtin_names.push_back(classes_[i].name);
  problems.add(key.source().begin, "class " + quoted(key.str()) +
                                       " is not built in and has no ports" +
                                       suggestion(key.str(), builtin_names));
}

inline void ClassTable::read_ports(std::size_t index, const toml::node& node,
                                   const std::string& name, Problems& problems) {
  has_ports_[index] = true;
  classes_[index].ports.clear();
  const toml::array* array = node.as_array();
  if (array == nullptr)
    return mismatch(node, name, "an array such as [\"tcp/22\", \"udp/5060-5061\"]", problems);
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      mismatch(element, name, "a string such as \"tcp/22\"", problems);
      continue;
    }
    const auto range = parse_ports(text->get());
    if (!range) {
      problems.add(element, name, range.error().message());
      continue;
    }
    classes_[index].ports.push_back(*range);
    listed_.push_back({element.source().begin, *range, index});
  }
}

inline std::string ClassTable::clash_text(const Listed& listed,
                                          const PortOwners::Clash& clash) const {
  const std::string port = ports_text(clash.port);
  const std::string claimant = quoted(classes_[listed.owner].name);
  if (clash.owner == listed.owner) return "class " + claimant + " has " + port + " twice";
  return "class " + claimant + " claims " + port + ", which class " +
         quoted(classes_[clash.owner].name) + " has: expected each port in one class at most";
}

inline void ClassTable::report_clashes(Problems& problems) const {
  PortOwners owners;
  for (std::size_t i = 0; i < builtin_; ++i) {
    if (has_ports_[i]) continue;
    for (const PortRange& range : classes_[i].ports) owners.claim(range, i);
  }
  for (const Listed& listed : listed_)
    if (const auto clash = owners.claim(listed.range, listed.owner))
      problems.add(listed.at, clash_text(listed, *clash));
}

}  // namespace nids
