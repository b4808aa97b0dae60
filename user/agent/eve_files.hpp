// SPDX-License-Identifier: Apache-2.0
// The EVE file by its name: opens it, renames it once it is long enough, and opens it anew. Writes
// nothing into it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

class EveFiles {
 public:
  struct Limits {
    std::uint64_t rotate_bytes = 0;  // 0: never renamed by us
    std::uint32_t keep = 5;          // PATH.1 to PATH.keep, the newest first; 0: none
  };
  struct Renewed {
    Fd file;
    std::uint32_t removed = 0;  // old files that went for it
  };
  static constexpr std::uint32_t kMaxKeep = 1000;

  // "-" is standard output. Missing directories are made where `makes_directories`.
  EveFiles(std::string path, bool makes_directories, Limits limits)
      : path_(std::move(path)), makes_directories_(makes_directories), limits_(limits) {}

  const std::string& path() const { return path_; }

  // At the start: whatever it is, a pipe or a device too.
  [[nodiscard]] Result<Fd> open();

  // Whether it is, or was to be, a regular file. All others are never opened a second time.
  bool may_renew() const { return may_renew_; }

  // What is now at the path, made where nothing is. An error: nothing has changed.
  [[nodiscard]] Result<Renewed> reopen();

  // The same, but what is there is renamed first if it is the file that was opened last, and long
  // enough. After an error the file that was opened last is PATH or PATH.1, with all its lines.
  [[nodiscard]] Result<Renewed> rotate();

 private:
  bool is_long_enough(int directory) const;
  void remember(int fd);

  std::string path_;
  bool makes_directories_;
  Limits limits_;
  bool may_renew_ = false;
  dev_t device_ = 0;  // of the file opened last
  ino_t inode_ = 0;
};

}  // namespace nids
