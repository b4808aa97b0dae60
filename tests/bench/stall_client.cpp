// SPDX-License-Identifier: Apache-2.0
#include "stall_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "flow/flow_filter.hpp"
#include "nids/fd.hpp"

namespace nids::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

// A filter with as many instructions as allowed. Each flow runs through all of them.
std::string costly_filter() {
  constexpr std::size_t kCount = FlowFilter::kMaxInstructions;
  std::string text = std::to_string(kCount);
  for (std::size_t i = 0; i + 1 < kCount; ++i) text += ",48 0 0 23";  // ldb [23]
  return text + ",6 0 0 1";
}

// Asks once. Returns the total of the answer: the number of flows that match.
std::optional<std::uint64_t> ask(const std::string& path) {
  const Fd client{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof(address.sun_path) - 1));
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return std::nullopt;
  const Json question{
      {"command", "flows"}, {"top", 1'000u}, {"by", "bytes"}, {"filter", costly_filter()}};
  const std::string line = question.dump() + "\n";
  if (write(client.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return std::nullopt;
  std::string answer;
  std::array<char, 65'536> piece;
  for (ssize_t got = 0; (got = read(client.get(), piece.data(), piece.size())) > 0;)
    answer.append(piece.data(), static_cast<std::size_t>(got));
  const Json first = Json::parse(answer.substr(0, answer.find('\n')), nullptr, false);
  if (!first.is_object() || !first.contains("total")) return std::nullopt;
  return first["total"].get<std::uint64_t>();
}

}  // namespace

Asked ask_each_second(const std::string& path, const std::atomic<bool>& is_over) {
  Asked asked;
  for (auto next = Clock::now(); !is_over; next += std::chrono::seconds(1)) {
    const auto begun = Clock::now();
    if (const auto flows = ask(path)) {
      ++asked.answers;
      asked.fewest_flows = std::min(asked.fewest_flows, *flows);
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
    asked.longest = std::max(asked.longest, took);
    while (!is_over && Clock::now() < next + std::chrono::seconds(1))
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return asked;
}

}  // namespace nids::bench
