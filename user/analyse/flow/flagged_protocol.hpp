// SPDX-License-Identifier: Apache-2.0
// Is this a connection of a suspicious protocol? Reports a flow once for each side that may have
// opened it, by the classes that the first pass gave it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analyse/analyser.hpp"

namespace nids {

class FlaggedProtocol final : public Analyser {
 public:
  struct Class {
    std::string name;
    std::uint32_t signature_id = 0;
    int severity = 2;
    std::string technique;  // MITRE ATT&CK id, may be empty
    // Whatever else has its flows come up:
    bool is_flagged = true;      // false: it is only counted
    bool needs_payload = false;  // true: nothing but payload tells it
  };

  // By class index; index 0 is "no class".
  explicit FlaggedProtocol(std::vector<Class> classes)
      : classes_(std::make_shared<const std::vector<Class>>(std::move(classes))) {}

  // Uses these classes from the next packet on.
  void use(std::shared_ptr<const std::vector<Class>> classes) { classes_ = std::move(classes); }

  std::string_view name() const noexcept override { return "flagged_protocol"; }
  Wants wants() const noexcept override { return {.packets = true}; }
  void on_packet(const PacketView& view, Context& context) override;

 private:
  void flag(const PacketView& view, nids_sender opener, Context& context);

  std::shared_ptr<const std::vector<Class>> classes_;
};

}  // namespace nids
