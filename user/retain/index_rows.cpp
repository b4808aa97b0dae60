// SPDX-License-Identifier: Apache-2.0
#include "retain/index_rows.hpp"

#include <utility>

#include "retain/index_codec.hpp"

namespace nids {
namespace {

std::optional<KeptFlow> flow_at(const sqlite::Statement& row, int column) {
  const auto ends = unpack_ends(row.bytes(column + 2));
  if (!ends) return std::nullopt;
  return KeptFlow{.id = row.number(column),
                  .community_id = row.text(column + 1),
                  .ends = *ends,
                  .class_name = row.text(column + 3)};
}

std::uint32_t number32(const sqlite::Statement& row, int column) {
  return static_cast<std::uint32_t>(row.number(column));
}

}  // namespace

std::optional<FlowSpan> span_at(const sqlite::Statement& row) {
  auto name = SegmentName::parse(row.text(0));
  auto flow = flow_at(row, 3);
  auto offsets = unpack_offsets(row.bytes(8));
  if (!name || !flow || !offsets) return std::nullopt;
  return FlowSpan{.segment = std::move(*name),
                  .flow = std::move(*flow),
                  .first = {row.number(1)},
                  .last = {row.number(2)},
                  .bytes = row.number(7),
                  .offsets = std::move(*offsets)};
}

std::optional<IndexedAlert> alert_at(const sqlite::Statement& row) {
  auto flow = flow_at(row, 4);
  const auto kind = alert_kind_of(row.number(15));
  if (!flow || !kind) return std::nullopt;
  IndexedAlert indexed{.alert = {.id = row.number(0),
                                 .time = {row.number(1)},
                                 .signature_id = {.gid = number32(row, 12),
                                                  .sid = number32(row, 13),
                                                  .rev = number32(row, 14)},
                                 .kind = *kind,
                                 .severity = static_cast<int>(row.number(2)),
                                 .signature = row.text(3),
                                 .flow = std::move(*flow),
                                 .record = row.text(8)},
                       .place = {}};
  if (row.is_null(9)) return indexed;
  auto name = SegmentName::parse(row.text(9));
  if (!name) return std::nullopt;
  indexed.place = PacketPlace{std::move(*name), row.number(10), row.number(11)};
  return indexed;
}

}  // namespace nids
