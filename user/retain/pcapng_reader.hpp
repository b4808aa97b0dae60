// SPDX-License-Identifier: Apache-2.0
// Reads pcapng files of this host's byte order block by block, with what libpcap leaves out:
// comments, and where each block stands. Trusts no length in them, and opens no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "nids/result.hpp"
#include "nids/time.hpp"
#include "retain/pcapng.hpp"

namespace nids::pcapng {

// A packet's block; what it points to is valid until the next call of the reader.
struct PacketBlock {
  std::uint64_t offset = 0;     // bytes before the block in the file
  std::uint64_t number = 0;     // from 1, in the order of reading
  std::uint32_t interface = 0;  // index into interfaces()
  WallTime time;
  std::uint32_t original_len = 0;  // bytes on the wire
  std::span<const std::byte> data;
  bool outbound = false;
  std::vector<std::string_view> comments;
  std::span<const std::byte> bytes;  // the whole block, as it stands in the file
};

class Reader {
 public:
  static constexpr std::uint32_t kMaxBlock = 16u << 20;  // bytes; more is a lie

  // Fills the span from `offset` on, and returns how many bytes there were; fewer at the end.
  using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte>)>;
  explicit Reader(ReadAt read_at);

  // The next packet; empty at the end. An error: what follows is no whole block, or no pcapng of
  // this byte order; end() then says where it begins.
  Result<std::optional<PacketBlock>> next();
  // The packet whose block begins at `offset`, out of order; `number` is then 0. Interfaces that
  // were not read yet are looked for from the start of the file.
  Result<PacketBlock> at(std::uint64_t offset);
  // next() goes on there: the beginning of a block, behind `packets` packets.
  void seek(std::uint64_t offset, std::uint64_t packets);

  std::uint64_t end() const;  // bytes up to the end of the last whole block that next() met
  const std::vector<Interface>& interfaces() const;

 private:
  ReadAt read_at_;
  // ...
};

}  // namespace nids::pcapng
