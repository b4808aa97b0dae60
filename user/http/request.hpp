// SPDX-License-Identifier: Apache-2.0
// The little of HTTP/1.x (RFC 9112) that answering GET needs. Pure: reads and writes no socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nids {

enum class HttpStatus : int {
  kOk = 200,
  kBadRequest = 400,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kHeadersTooLarge = 431
};

// Whether the bytes hold the empty line that ends the headers. The first `checked` bytes did not.
bool has_empty_line(std::string_view bytes, std::size_t checked);

// The answer to a request for the only resource that there is. Headers are not looked at.
HttpStatus status_of_request(std::string_view request, std::string_view path);

// The whole answer; the connection is closed after it.
std::string http_answer(HttpStatus status, std::string_view content_type, std::string_view body);

}  // namespace nids
