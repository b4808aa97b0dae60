// SPDX-License-Identifier: Apache-2.0
// JSON that others wrote: it is read and written by recursion, so what is nested deeply is refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace nids {

// The object that stands there; an empty one where there is none, or it is nested more than
// `deepest` levels.
inline nlohmann::ordered_json parse_shallow_object(std::string_view text, int deepest = 12) {
  using Json = nlohmann::ordered_json;
  bool is_too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    is_too_deep = is_too_deep || depth > deepest;
    return !is_too_deep;
  };
  Json json = Json::parse(text, watch, false);
  return json.is_object() && !is_too_deep ? json : Json::object();
}

}  // namespace nids
