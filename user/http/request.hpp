// SPDX-License-Identifier: Apache-2.0
// The part of HTTP/1.x (RFC 9112) that an answer to GET needs. Pure: reads and writes no socket.
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

// Returns whether the bytes contain the empty line that ends the headers. The first `checked` bytes
// alone do not.
bool has_empty_line(std::string_view bytes, std::size_t checked);

// The status for a request, if `path` is the only resource. Ignores the headers.
HttpStatus status_of_request(std::string_view request, std::string_view path);

// The complete answer. It tells the client that the connection is closed.
std::string http_answer(HttpStatus status, std::string_view content_type, std::string_view body);

}  // namespace nids
