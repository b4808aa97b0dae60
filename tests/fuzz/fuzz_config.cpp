// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration: never a crash, every problem has a position and a printable text,
// and what has no problems survives dump_config() and parse_config().
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config.hpp"

namespace {

void require(bool fact) {
  if (!fact) std::abort();
}

void check(const nids::ConfigProblem& problem) {
  require(problem.line > 0 && problem.column > 0 && !problem.text.empty());
  for (const char c : problem.text) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7f);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view toml(reinterpret_cast<const char*>(data), size);
  const auto outcome = nids::parse_config(toml);
  for (const auto& problem : outcome.problems) check(problem);
  if (!outcome.problems.empty()) return 0;

  const auto again = nids::parse_config(nids::dump_config(outcome.config));
  require(again.problems.empty() && again.config == outcome.config);
  return 0;
}
