// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_filter.hpp"

#include <pcap/pcap.h>

#include "cli/filter_expression.hpp"
#include "kernel/handle.hpp"
#include "retain/pcapng.hpp"

namespace nids {
namespace {

constexpr std::uint16_t kEthernet = 1;
constexpr int kSnapBytes = 262'144;

}  // namespace

Result<PacketFilter> KeptFilter::compile_for(std::uint16_t link_type) const {
  const Handle<pcap_t, pcap_close> pcap(pcap_open_dead(pcapng::dlt_of(link_type), kSnapBytes));
  if (!pcap) return Error{.action = "filter packets", .reason = "libpcap has no memory"};
  return compile_packet_filter(expression_, services_, pcap.get());
}

Result<KeptFilter> KeptFilter::compile(std::string expression, Services services) {
  KeptFilter filter(std::move(expression), std::move(services));
  auto program = filter.compile_for(kEthernet);
  if (!program) return program.error();
  filter.filters_.emplace(kEthernet, std::move(*program));
  return filter;
}

bool KeptFilter::matches(std::uint16_t link_type, std::span<const std::byte> bytes,
                         std::uint32_t original_len) {
  auto found = filters_.find(link_type);
  if (found == filters_.end()) {
    auto program = compile_for(link_type);
    found = filters_.emplace(link_type, program ? std::optional(std::move(*program)) : std::nullopt)
                .first;
  }
  if (!found->second) return false;
  Packet packet;
  packet.bytes = bytes;
  packet.frame_len = original_len;
  return found->second->matches(packet);
}

}  // namespace nids
