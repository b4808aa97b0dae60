// SPDX-License-Identifier: Apache-2.0
// The bytes of a file as they were before gzip or zstd, which it tells by their magic; any other
// file is passed on as it is. Never seeks, so that pipes work, and never holds the whole.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace nids {

class Decompressor {
 public:
  explicit Decompressor(int fd);  // closes it at the end
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor();

  // The bytes put into `out`; 0 at the end; -1 where failure() says why, then and ever after.
  // Called from C.
  ssize_t read(std::span<std::byte> out) noexcept;

  const std::string& failure() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nids
