// SPDX-License-Identifier: Apache-2.0
#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.hpp"
#include "cli/wrapped.hpp"

namespace nids {
namespace {

std::vector<std::string> port_texts(const ProtocolClass& one) {
  std::vector<std::string> texts;
  for (const PortRange& range : one.ports) {
    std::string text = range.l4_proto == 17 ? "udp/" : "tcp/";
    text += std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
    texts.push_back(std::move(text));
  }
  return texts;
}

const char* interest_name(nids_interest interest) {
  switch (interest) {
#define NIDS_NAME(name, key, meaning) \
  case NIDS_INTEREST_##name:          \
    return key;
    NIDS_INTERESTS(NIDS_NAME)
#undef NIDS_NAME
    case NIDS_INTEREST_KINDS:
      break;
  }
  return "";
}

}  // namespace

Exit run_classes(bool json, const std::optional<std::string>& config_file, Io& io) {
  const auto config = effective_config(config_file, io);
  if (!config) return kFailed;
  constexpr std::size_t kPortsColumn = 14 + 9 + 9 + 9 + 6;
  auto array = nlohmann::ordered_json::array();
  if (!json)
    io.out << fmt::format("{:<14}{:<9}{:<9}{:<9}{:<6}{}\n", "CLASS", "SEVERITY", "INTEREST",
                          "DEPTH", "SID", "PORTS");
  for (const ProtocolClass& one : config->classes) {
    if (json)
      array.push_back({{"name", one.name},
                       {"ports", port_texts(one)},
                       {"severity", one.severity},
                       {"interest", interest_name(one.interest)},
                       {"depth_bytes", one.depth_bytes},
                       {"signature_id", one.signature_id}});
    else
      io.out << fmt::format(
          "{:<14}{:<9}{:<9}{:<9}{:<6}{}\n", one.name, one.severity, interest_name(one.interest),
          size_text(one.depth_bytes), one.signature_id,
          wrapped(fmt::format("{}", fmt::join(port_texts(one), " ")), kPortsColumn, io.width));
  }
  if (json) io.out << array.dump(2) << '\n';
  return kOk;
}

}  // namespace nids
