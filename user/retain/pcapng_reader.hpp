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
  std::uint64_t offset = 0;        // bytes before the block in the file
  std::uint64_t number = 0;        // from 1, in the order of reading
  std::uint32_t interface = 0;     // index into interfaces()
  WallTime time;                   // what it can't hold is its first or last moment
  std::uint32_t original_len = 0;  // bytes on the wire, at least data.size()
  std::span<const std::byte> data;
  bool outbound = false;
  std::vector<std::string_view> comments;  // as they came; the first 256
  std::span<const std::byte> bytes;        // the whole block, as it stands in the file
};

// Fills the span from `offset` on, and returns how many bytes there were; fewer at the end.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte>)>;
// By pread(2) of a descriptor that stays the caller's. What can't be read is taken for the end.
ReadAt read_from(int fd);

// Enhanced packet blocks are read, and the obsolete ones before them. Simple ones have no time:
// they are passed over, but count in `number`, as they do in Wireshark. Other blocks are passed
// over.
class Reader {
 public:
  static constexpr std::uint32_t kMaxBlock = 16u << 20;  // bytes; more is a lie
  static constexpr std::size_t kMaxInterfaces = 16'384;  // of all sections; more is an error
  static constexpr std::size_t kMaxComments = 256;       // of a packet

  // `buffer_bytes` are read at once in order; blocks may be longer.
  explicit Reader(ReadAt read_at, std::size_t buffer_bytes = 1u << 20);

  // The next packet; empty at the end. An error: what follows is no whole block, a field of it
  // lies, or it is no pcapng of this byte order; end() then says where it begins. A file that grows
  // may be asked again, after either.
  Result<std::optional<PacketBlock>> next();
  // The packet whose block begins at `offset`, out of order; `number` is then 0. Interfaces that
  // were not read yet are looked for from the start of the file, where its packet names one that is
  // not known: a second section that next() did not meet would not be.
  Result<PacketBlock> at(std::uint64_t offset);
  // next() goes on there: the beginning of a block, behind `packets` packets.
  void seek(std::uint64_t offset, std::uint64_t packets);

  // Bytes up to the end of the last whole block that next() met, or to where seek() went.
  std::uint64_t end() const { return position_; }
  // Whether the last error was that the file ends inside a block: it may be written right now.
  bool is_cut() const { return is_cut_; }
  // Of all sections, in the file's order, as far as they were met.
  const std::vector<Interface>& interfaces() const { return interfaces_; }

 private:
  // A part of the file in memory.
  class Window {
   public:
    explicit Window(std::size_t size) : size_(size) {}
    // Fewer bytes at the end of the file. Valid until the next call.
    std::span<const std::byte> view(const ReadAt& read_at, std::uint64_t offset, std::size_t size);

   private:
    std::size_t size_;
    std::vector<std::byte> bytes_;
    std::uint64_t start_ = 0;
    std::size_t filled_ = 0;
  };
  struct Section {
    std::uint64_t offset = 0;
    std::uint32_t first_interface = 0;
    std::uint32_t interfaces = 0;
  };
  struct Clock {  // of an interface's time stamps
    std::uint8_t resolution = 6;
    std::int64_t offset_s = 0;
  };
  using BlockBytes = std::span<const std::byte>;

  Result<BlockBytes> block(Window& window, std::uint64_t offset);
  Result<void> learn(BlockBytes block, std::uint64_t offset);
  Result<void> learn_beginning();
  Result<void> learn_until(std::uint64_t offset);
  Result<PacketBlock> packet(Window& window, BlockBytes block, std::uint64_t offset);
  std::optional<std::uint32_t> interface_of(std::uint32_t id, std::uint64_t offset) const;
  Error cut(std::uint64_t offset);

  ReadAt read_at_;
  Window sequential_, random_;
  std::uint64_t position_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t known_until_ = 0;  // sections and interfaces before are known
  bool is_cut_ = false;
  std::vector<Section> sections_;
  std::vector<Interface> interfaces_;
  std::vector<Clock> clocks_;  // of each interface
};

}  // namespace nids::pcapng
