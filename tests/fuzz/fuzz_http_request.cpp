// SPDX-License-Identifier: Apache-2.0
// Any bytes are an HTTP request. There is never a crash, the status is a known one, 200 comes only
// for GET of the path, and the end of the headers is found wherever the bytes are cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/request.hpp"

namespace {

void require(bool fact) {
  if (!fact) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto status = nids::status_of_request(bytes, "/metrics");
  if (status == nids::HttpStatus::kOk)
    require(bytes.starts_with("GET /metrics ") || bytes.starts_with("GET /metrics?"));
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  require(nids::status_of_request(line, "/metrics") == status);

  const bool is_whole = nids::has_empty_line(bytes, 0);
  bool is_found = false;
  for (std::size_t length = 1; length <= size && !is_found; ++length)
    is_found = nids::has_empty_line(bytes.substr(0, length), length - 1);
  require(is_found == is_whole);
  return 0;
}
