// SPDX-License-Identifier: Apache-2.0
#include "alert/signature.hpp"

#include <array>
#include <utility>

namespace nids {
namespace {

constexpr std::array<std::pair<AlertKind, std::string_view>, 3> kNames{
    {{AlertKind::kFlaggedProtocol, "flagged_protocol"},
     {AlertKind::kStatelessFinding, "stateless_finding"},
     {AlertKind::kHost, "host"}}};

}  // namespace

std::string_view name_of(AlertKind kind) {
  for (const auto& [one, name] : kNames)
    if (one == kind) return name;
  return {};
}

std::optional<AlertKind> alert_kind_of(std::string_view name) {
  for (const auto& [one, own] : kNames)
    if (own == name) return one;
  return std::nullopt;
}

std::optional<AlertKind> alert_kind_of(std::uint64_t number) {
  for (const auto& [one, name] : kNames)
    if (static_cast<std::uint64_t>(one) == number) return one;
  return std::nullopt;
}

}  // namespace nids
