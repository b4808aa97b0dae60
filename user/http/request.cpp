// SPDX-License-Identifier: Apache-2.0
#include "http/request.hpp"

#include <algorithm>

namespace nids {
namespace {

// RFC 9110 section 5.6.2
bool is_token_character(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != kOthers.npos;
}

bool is_version_1(std::string_view version) {
  return version.size() == 8 && version.starts_with("HTTP/1.") && version[7] >= '0' &&
         version[7] <= '9';
}

const char* reason_of(HttpStatus status) {
  switch (status) {
    case HttpStatus::kOk:
      return "OK";
    case HttpStatus::kBadRequest:
      return "Bad Request";
    case HttpStatus::kNotFound:
      return "Not Found";
    case HttpStatus::kMethodNotAllowed:
      return "Method Not Allowed";
    case HttpStatus::kHeadersTooLarge:
      return "Request Header Fields Too Large";
  }
  return "";
}

}  // namespace

bool has_empty_line(std::string_view bytes, std::size_t checked) {
  // A lone LF may end a line (RFC 9112 section 2.2).
  constexpr std::size_t kOverlap = 2;
  const std::size_t from = checked > kOverlap ? checked - kOverlap : 0;
  return bytes.find("\n\n", from) != bytes.npos || bytes.find("\n\r\n", from) != bytes.npos;
}

HttpStatus status_of_request(std::string_view request, std::string_view path) {
  std::string_view line = request.substr(0, request.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) return HttpStatus::kBadRequest;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7f; };
  if (method.empty() || !std::ranges::all_of(method, is_token_character) || target.empty() ||
      !std::ranges::all_of(target, is_visible) || !is_version_1(line.substr(last + 1)))
    return HttpStatus::kBadRequest;
  if (target.substr(0, target.find('?')) != path) return HttpStatus::kNotFound;
  return method == "GET" ? HttpStatus::kOk : HttpStatus::kMethodNotAllowed;
}

std::string http_answer(HttpStatus status, std::string_view content_type, std::string_view body) {
  std::string answer = "HTTP/1.1 " + std::to_string(static_cast<int>(status)) + ' ' +
                       reason_of(status) + "\r\nContent-Type: ";
  answer.append(content_type);
  answer += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n";
  if (status == HttpStatus::kMethodNotAllowed) answer += "Allow: GET\r\n";
  answer += "\r\n";
  return answer.append(body);
}

}  // namespace nids
