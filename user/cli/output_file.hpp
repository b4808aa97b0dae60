// SPDX-License-Identifier: Apache-2.0
// A file that is there whole or not at all, or standard output. Follows no link.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

class OutputFile {
 public:
  // "-" is standard output. A regular file is made beside its place, without a name where the file
  // system can do that, so that not even a kill leaves anything. It has rights for its owner only,
  // and takes its place in keep(); what stood there until then stays as it was. The path is looked
  // up once, here. Pipes and devices are written to as they are: a pipe of this user's or root's is
  // waited for until somebody reads it, one of anybody else's is refused. So are links.
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // what was not kept is removed

  // From now on keep() is a child's to do, which has the rights that this process has now, and
  // does nothing else. For who gives up his own.
  Result<void> lend_rights();

  // An error says why: the disk is full, the reader has gone (is_unwanted()).
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> keep();

  bool is_unwanted() const { return is_unwanted_; }
  bool is_terminal() const;

 private:
  enum class Kind { kAsItIs, kNameless, kNamed };
  OutputFile(Fd fd, std::string path, Kind kind)
      : fd_(std::move(fd)), path_(std::move(path)), kind_(kind) {}
  static Result<OutputFile> to_be_placed(Fd directory, const std::string& name,
                                         const std::string& path);
  Result<void> name();
  Result<void> place();
  Result<void> ask_keeper();
  void remove_temporary();
  [[noreturn]] void be_keeper(Fd link);

  // The child; it ends with its link.
  struct Keeper {
    Keeper() = default;
    Keeper(Keeper&& other) noexcept;
    Keeper& operator=(Keeper&& other) noexcept;
    ~Keeper();
    Fd link;
    int pid = 0;
  };

  Fd fd_;
  std::string path_;  // for messages
  Fd directory_;      // in which its place is
  std::string name_;  // of its place
  Kind kind_;
  std::string temporary_;  // beside it; empty: there is no name that would have to go
  bool is_unwanted_ = false;
  Keeper keeper_;
};

}  // namespace nids
