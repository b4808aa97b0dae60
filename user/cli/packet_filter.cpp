// SPDX-License-Identifier: Apache-2.0
#include "cli/packet_filter.hpp"

#include <pcap/pcap.h>

#include "cli/filter_expression.hpp"
#include "decode/printable.hpp"
#include "kernel/handle.hpp"

namespace nids {
namespace {

constexpr std::uint16_t kEthernet = 1;

// Of most link types libpcap's own number is the file format's.
int dlt_of(std::uint16_t link_type) {
  constexpr std::uint16_t kLinkTypeRaw = 101;
  return link_type == kLinkTypeRaw ? DLT_RAW : link_type;
}

}  // namespace

void PacketFilter::Free::operator()(bpf_program* program) const noexcept {
  pcap_freecode(program);
  delete program;
}

Result<PacketFilter::Program> PacketFilter::compile_for(std::uint16_t link_type) const {
  const Handle<pcap_t, pcap_close> pcap(pcap_open_dead(dlt_of(link_type), 262'144));
  const std::string action = "filter packets by \"" + printable(numeric_, 4096) + "\"";
  if (!pcap) return Error{.action = action, .reason = "libpcap has no memory"};
  Program program(new bpf_program{});
  constexpr int kOptimise = 1;
  if (pcap_compile(pcap.get(), program.get(), numeric_.c_str(), kOptimise, PCAP_NETMASK_UNKNOWN) !=
      0)
    return Error{.action = action, .reason = pcap_geterr(pcap.get()), .hint = "man pcap-filter"};
  return program;
}

Result<PacketFilter> PacketFilter::compile(std::string_view expression, const Services& services) {
  auto numeric = numeric_expression(expression, services);
  if (!numeric) return numeric.error();
  PacketFilter filter(std::move(*numeric));
  auto program = filter.compile_for(kEthernet);
  if (!program) return program.error();
  filter.programs_[kEthernet] = std::move(*program);
  return filter;
}

bool PacketFilter::matches(std::uint16_t link_type, std::span<const std::byte> bytes,
                           std::uint32_t original_len) {
  auto found = programs_.find(link_type);
  if (found == programs_.end()) {
    auto program = compile_for(link_type);
    found = programs_.emplace(link_type, program ? std::move(*program) : Program()).first;
  }
  if (!found->second) return false;
  pcap_pkthdr header{};
  header.caplen = static_cast<bpf_u_int32>(bytes.size());
  header.len = original_len;
  return pcap_offline_filter(found->second.get(), &header,
                             reinterpret_cast<const u_char*>(bytes.data())) != 0;
}

}  // namespace nids
