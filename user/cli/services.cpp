// SPDX-License-Identifier: Apache-2.0
#include "cli/services.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace nids {
namespace {

constexpr std::size_t kNameMaxBytes = 32;

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

// Printable by what it may hold.
bool is_name(std::string_view word) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+";
  return !word.empty() && word.size() <= kNameMaxBytes &&
         word.find_first_not_of(kLetters) == word.npos;
}

std::uint8_t protocol_of(std::string_view name) {
  if (name == "tcp") return IPPROTO_TCP;
  if (name == "udp") return IPPROTO_UDP;
  return name == "sctp" ? IPPROTO_SCTP : 0;
}

}  // namespace

void Services::add(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::string_view name = next_word(line);
  const std::string_view port_and_protocol = next_word(line);
  std::uint16_t port = 0;
  const char* const end = port_and_protocol.data() + port_and_protocol.size();
  const auto [slash, failure] = std::from_chars(port_and_protocol.data(), end, port);
  if (!is_name(name) || failure != std::errc{} || slash == end || *slash != '/') return;
  const std::uint8_t protocol = protocol_of({slash + 1, end});
  if (protocol == 0) return;

  names_.try_emplace(std::uint32_t{protocol} << 16 | port, name);
  for (std::string_view word = name; !word.empty(); word = next_word(line))
    if (is_name(word)) ports_.try_emplace(std::string(word), port);
}

Services Services::parse(std::string_view text) {
  Services services;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    services.add(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return services;
}

Services Services::load(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str());
}

std::string_view Services::name_of(std::uint16_t port, std::uint8_t l4_proto) const {
  const auto found = names_.find(std::uint32_t{l4_proto} << 16 | port);
  return found == names_.end() ? std::string_view{} : found->second;
}

std::optional<std::uint16_t> Services::port_of(std::string_view name) const {
  const auto found = ports_.find(name);
  return found == ports_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace nids
