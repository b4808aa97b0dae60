// SPDX-License-Identifier: Apache-2.0
#include "agent/eve_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "agent/output_files.hpp"

namespace nids {
namespace {

// The names in one directory, by its descriptor: what it is called by now does not matter.
class Names {
 public:
  Names(int directory, const std::string& path)
      : directory_(directory), path_(path), name_(std::filesystem::path(path).filename()) {}

  bool exists(std::uint32_t number) const {
    struct stat status {};
    return fstatat(directory_, old(number).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  }

  Result<void> remove(std::uint32_t number) const {
    if (unlinkat(directory_, old(number).c_str(), 0) == 0 || errno == ENOENT) return {};
    return failure("remove", number, errno);
  }

  // Never over another file, whose lines would be lost: two agents may share the name.
  Result<void> move(std::uint32_t from, std::uint32_t to) const {
    const std::string source = old(from), target = old(to);
    if (renameat2(directory_, source.c_str(), directory_, target.c_str(), RENAME_NOREPLACE) == 0)
      return {};
    if (errno != EINVAL && errno != ENOSYS) return failure("rename", from, errno);
    // Some file systems can't promise it.
    if (exists(to)) return failure("rename", from, EEXIST);
    if (renameat(directory_, source.c_str(), directory_, target.c_str()) == 0) return {};
    return failure("rename", from, errno);
  }

 private:
  static std::string numbered(const std::string& name, std::uint32_t number) {
    return number == 0 ? name : name + "." + std::to_string(number);
  }
  std::string old(std::uint32_t number) const { return numbered(name_, number); }

  Error failure(const char* what, std::uint32_t number, int error_number) const {
    return Error{.action = std::string(what) + " " + numbered(path_, number),
                 .error_number = error_number,
                 .hint = "eve.rotate_size = 0 leaves rotation to others"};
  }

  int directory_;
  const std::string& path_;
  std::string name_;
};

// After a smaller `keep`: those that follow the last one without a gap.
std::uint32_t remove_surplus(const Names& names, std::uint32_t keep) {
  std::uint32_t removed = 0;
  for (std::uint32_t i = keep + 1; i <= EveFiles::kMaxKeep && names.exists(i); ++i) {
    if (!names.remove(i)) break;
    ++removed;
  }
  return removed;
}

// So that number 1 is free: all move on by one, up to the first gap, or else over the last one.
Result<std::uint32_t> make_room(const Names& names, std::uint32_t keep) {
  std::uint32_t removed = remove_surplus(names, keep);
  std::uint32_t gap = 1;
  while (gap <= keep && names.exists(gap)) ++gap;
  if (gap > keep) {
    if (auto gone = names.remove(keep); !gone) return gone.error();
    gap = keep;
    ++removed;
  }
  for (; gap > 1; --gap)
    if (auto moved = names.move(gap - 1, gap); !moved) return moved.error();
  return removed;
}

// With none to be kept, number 0 itself is what goes.
Result<std::uint32_t> move_away(const Names& names, std::uint32_t keep) {
  auto removed = make_room(names, keep);
  if (!removed || keep == 0) return removed;
  if (auto moved = names.move(0, 1); !moved) return moved.error();
  return removed;
}

// Without holes: neither those of a file that was made longer, nor what was set aside and not
// written. A file system that knows no holes has none.
std::uint64_t written_bytes(int fd) {
  constexpr int kMaxParts = 64;  // ours has one, or some after a crash
  std::uint64_t written = 0;
  off_t end = 0;
  for (int i = 0; i < kMaxParts; ++i) {
    const off_t begin = lseek(fd, end, SEEK_DATA);
    end = begin < 0 ? begin : lseek(fd, begin, SEEK_HOLE);
    if (end < begin || end < 0) break;
    written += static_cast<std::uint64_t>(end - begin);
  }
  return written;
}

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

}  // namespace

Result<Fd> EveFiles::open() {
  if (path_ == "-") return open_standard_output(WhenFull::kLose);
  may_renew_ = true;
  auto fd = open_eve(path_, makes_directories_);
  if (fd) remember(fd->get());
  return fd;
}

void EveFiles::remember(int fd) {
  struct stat status {};
  may_renew_ = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

Result<EveFiles::Renewed> EveFiles::reopen() {
  auto fd = open_eve(path_, makes_directories_);
  if (!fd) return fd.error();
  struct stat status {};
  if (fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{.action = "write alerts to " + path_, .reason = "it is no longer a regular file"};
  remember(fd->get());
  return Renewed{.file = std::move(*fd)};
}

Result<EveFiles::Renewed> EveFiles::rotate() {
  const std::string parent = directory_of(path_);
  std::uint32_t removed = 0;
  if (const Fd directory{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
      directory && is_long_enough(directory.get())) {
    const auto moved = move_away(Names(directory.get(), path_), limits_.keep);
    if (!moved) return moved.error();
    removed = *moved;
  }
  auto renewed = reopen();  // which says what is wrong with the directory
  if (renewed) renewed->removed = removed;
  return renewed;
}

// Asked of the file and not of the agent: it could be made to have all old files removed. Nor by
// holes, which cost the agent nothing.
bool EveFiles::is_long_enough(int directory) const {
  if (limits_.rotate_bytes == 0) return false;
  const std::string name = std::filesystem::path(path_).filename();
  const Fd file{
      openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat status {};
  return file && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         status.st_dev == device_ && status.st_ino == inode_ &&
         static_cast<std::uint64_t>(status.st_size) >= limits_.rotate_bytes &&
         written_bytes(file.get()) >= limits_.rotate_bytes;
}

}  // namespace nids
