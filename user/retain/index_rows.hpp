// SPDX-License-Identifier: Apache-2.0
// The index's two questions in SQL, and their rows as values. Trusts no row.
#pragma once

#include <optional>

#include "retain/index.hpp"
#include "retain/sqlite.hpp"

namespace nids {

// More conditions, and an order, may follow.
inline constexpr const char* kSpans =
    "SELECT s.name, first, last, flow, community, ends, class, span.bytes, offsets "
    "FROM span JOIN segment s ON s.id = segment WHERE last >= ?1 AND first <= ?2";
inline constexpr const char* kAlerts =
    "SELECT alert.id, time, severity, signature, flow, community, ends, class, record, s.name, "
    "place, "
    "number, gid, sid, rev, kind FROM alert LEFT JOIN segment s ON s.id = alert.segment "
    "WHERE alert.id > ?1 AND time BETWEEN ?2 AND ?3 AND severity <= ?4";

// Of a row of kSpans, and of kAlerts; nothing where it lies.
std::optional<FlowSpan> span_at(const sqlite::Statement& row);
std::optional<IndexedAlert> alert_at(const sqlite::Statement& row);

}  // namespace nids
