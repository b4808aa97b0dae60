// SPDX-License-Identifier: Apache-2.0
// Any text as a filter's instructions: never a crash, and what is accepted is written as it was
// read and runs over flows of every shape.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flow/flow_filter.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto filter = nids::FlowFilter::parse({reinterpret_cast<const char*>(data), size});
  if (!filter) return 0;
  const auto again = nids::FlowFilter::parse(filter->text());
  require(static_cast<bool>(again) && again->text() == filter->text());

  nids::Ends ends;
  for (const std::uint8_t version : {0, 4, 6}) {
    for (const std::uint8_t protocol : {1, 6, 17, 47, 132}) {
      for (std::uint16_t tags = 0; tags <= 2; ++tags) {
        ends.ip_version = version;
        ends.l4_proto = protocol;
        ends.vlan[0] = tags > 0 ? 5 : 0;
        ends.vlan[1] = tags > 1 ? 6 : 0;
        require(filter->matches(ends) == again->matches(ends));
      }
    }
  }
  return 0;
}
