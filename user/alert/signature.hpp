// SPDX-License-Identifier: Apache-2.0
// The signature of an alert, and its kind. Code decides by the kind, because the numbers are only
// names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nids {

inline constexpr std::uint32_t kGeneratorId = 9000;  // of all built-in signatures

struct SignatureId {
  std::uint32_t gid = kGeneratorId;
  std::uint32_t sid = 0;  // docs/alerts.md
  std::uint32_t rev = 1;
  bool operator==(const SignatureId&) const = default;
  std::string text() const {  // "9000:1001"
    return std::to_string(gid) + ":" + std::to_string(sid);
  }
};

// The index stores the number, so never renumber.
enum class AlertKind : std::uint8_t { kFlaggedProtocol = 1, kStatelessFinding = 2, kHost = 3 };

std::string_view name_of(AlertKind kind);
std::optional<AlertKind> alert_kind_of(std::string_view name);
std::optional<AlertKind> alert_kind_of(std::uint64_t number);

}  // namespace nids
