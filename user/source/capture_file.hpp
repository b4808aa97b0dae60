// SPDX-License-Identifier: Apache-2.0
// Reads the frames of a capture file: pcap or pcapng, plain, gzip or zstd, from a path or stdin.
// Never trusts a length in it; never keeps more than one frame in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "nids/result.hpp"
#include "nids/time.hpp"

struct pcap;  // libpcap's

namespace nids {

struct Frame {
  WallTime time;
  std::uint32_t wire_len = 0;        // bytes on the wire, at least bytes.size()
  std::span<const std::byte> bytes;  // valid until the next read
};

class CaptureFile {
 public:
  // "-" is standard input. Errors: no such file, not a capture, a link type of none that
  // link_layer.hpp takes (the reason names it), an empty file.
  // `before_reading` is called between opening the file and reading its first byte: the place to
  // give up privileges that opening needs and parsing must not have.
  [[nodiscard]] static Result<CaptureFile> open(
      const std::string& path, const std::function<Result<void>()>& before_reading = {});
  CaptureFile(CaptureFile&&) noexcept;
  ~CaptureFile();

  // For functions of libpcap that want to know the file: to compile a filter for it.
  pcap* libpcap() const;

  int link_type() const;  // DLT_* of libpcap, one of those that link_layer.hpp takes

  // The next frame; nothing at the end. An error: the file ends inside a packet or is corrupt
  // from here on; what came before was good.
  [[nodiscard]] Result<std::optional<Frame>> next();

 private:
  struct State;
  explicit CaptureFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nids
