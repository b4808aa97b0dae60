// SPDX-License-Identifier: Apache-2.0
#include "http/request.hpp"

#include <gtest/gtest.h>

#include <map>

namespace nids {
namespace {

TEST(HttpRequest, OnlyGetOfThePathIsAnswered) {
  const std::map<std::string, HttpStatus> requests{
      {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", HttpStatus::kOk},
      {"GET /metrics HTTP/1.0\n\n", HttpStatus::kOk},
      {"GET /metrics?name=x HTTP/1.1\r\n\r\n", HttpStatus::kOk},
      {"GET / HTTP/1.1\r\n\r\n", HttpStatus::kNotFound},
      {"GET /metrics/ HTTP/1.1\r\n\r\n", HttpStatus::kNotFound},
      {"GET /metricsx HTTP/1.1\r\n\r\n", HttpStatus::kNotFound},
      {"GET ../metrics HTTP/1.1\r\n\r\n", HttpStatus::kNotFound},
      {"POST /metrics HTTP/1.1\r\n\r\n", HttpStatus::kMethodNotAllowed},
      {"get /metrics HTTP/1.1\r\n\r\n", HttpStatus::kMethodNotAllowed},
      {"HEAD /metrics HTTP/1.1\r\n\r\n", HttpStatus::kMethodNotAllowed},
      {"GET /metrics HTTP/2.0\r\n\r\n", HttpStatus::kBadRequest},
      {"GET /metrics HTTP/1.x\r\n\r\n", HttpStatus::kBadRequest},
      {"GET /metrics HTTP/1.11\r\n\r\n", HttpStatus::kBadRequest},
      {"GET /metrics\r\n\r\n", HttpStatus::kBadRequest},
      {"GET  HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {"GET HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {" /metrics HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {"GET /met rics HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {"G\x01T /metrics HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {"GET /metrics\xff HTTP/1.1\r\n\r\n", HttpStatus::kBadRequest},
      {"\r\n\r\n", HttpStatus::kBadRequest},
      {"", HttpStatus::kBadRequest}};
  for (const auto& [request, status] : requests)
    EXPECT_EQ(status_of_request(request, "/metrics"), status) << request;
}

TEST(HttpRequest, TheEmptyLineIsFoundAcrossPieces) {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
  const std::size_t end = request.find("body");
  for (std::size_t length = 1; length <= request.size(); ++length)
    EXPECT_EQ(has_empty_line(request.substr(0, length), length - 1), length == end) << length;
  EXPECT_TRUE(has_empty_line("GET / HTTP/1.0\n\n", 0));
  EXPECT_FALSE(has_empty_line("GET / HTTP/1.0\n\r", 0));
}

TEST(HttpAnswer, SaysHowLongItIsAndThatItEnds) {
  EXPECT_EQ(http_answer(HttpStatus::kOk, "text/plain", "a\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\na\n");
  EXPECT_NE(http_answer(HttpStatus::kMethodNotAllowed, "text/plain", "").find("\r\nAllow: GET\r\n"),
            std::string::npos);
}

}  // namespace
}  // namespace nids
