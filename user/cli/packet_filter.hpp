// SPDX-License-Identifier: Apache-2.0
// A pcap-filter expression run on packets, of whatever link types they are. Looks no name up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cli/services.hpp"
#include "nids/result.hpp"

struct bpf_program;

namespace nids {

class PacketFilter {
 public:
  // An error: the expression means nothing on Ethernet.
  static Result<PacketFilter> compile(std::string_view expression, const Services& services);

  // `link_type` is a LINKTYPE_*, as pcapng has them. A link type on which the expression means
  // nothing has no packet that matches.
  bool matches(std::uint16_t link_type, std::span<const std::byte> bytes,
               std::uint32_t original_len);

 private:
  struct Free {
    void operator()(bpf_program* program) const noexcept;
  };
  using Program = std::unique_ptr<bpf_program, Free>;

  explicit PacketFilter(std::string numeric) : numeric_(std::move(numeric)) {}
  Result<Program> compile_for(std::uint16_t link_type) const;

  std::string numeric_;
  std::map<std::uint16_t, Program> programs_;  // null: it means nothing there
};

}  // namespace nids
