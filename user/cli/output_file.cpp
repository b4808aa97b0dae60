// SPDX-License-Identifier: Apache-2.0
#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace nids {
namespace {

constexpr int kMostAttempts = 100;

Error cannot_write(const std::string& path, int error) {
  return {.action = "write " + (path == "-" ? "to standard output" : path), .error_number = error};
}

// "directory/.name.PID-N.part", in the directory of the place itself: a rename then does it.
std::string beside(const std::string& path, int attempt) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == path.npos ? 0 : slash + 1;
  return path.substr(0, name) + "." + path.substr(name).substr(0, 200) + "." +
         std::to_string(getpid()) + "-" + std::to_string(attempt) + ".part";
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  if (path == "-") {
    Fd fd{fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
    if (!fd) return cannot_write(path, errno);
    return OutputFile(std::move(fd), path, Kind::kAsItIs);
  }
  struct stat status {};
  const bool is_there = lstat(path.c_str(), &status) == 0;
  if (is_there && S_ISLNK(status.st_mode))
    return Error{.action = "write " + path,
                 .reason = "it is a symbolic link",
                 .hint = "name the file that it points to; - is standard output"};
  if (is_there && !S_ISREG(status.st_mode)) {
    Fd fd{open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY)};
    if (!fd) return cannot_write(path, errno);
    return OutputFile(std::move(fd), path, Kind::kAsItIs);
  }
  Fd nameless{open(directory_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)};
  if (nameless) return OutputFile(std::move(nameless), path, Kind::kNameless);
  for (int attempt = 0;; ++attempt) {
    const std::string temporary = beside(path, attempt);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
    Fd fd{open(temporary.c_str(), kFlags, 0600)};
    if (fd) return OutputFile(std::move(fd), path, Kind::kNamed, temporary);
    if (errno != EEXIST || attempt == kMostAttempts) return cannot_write(path, errno);
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      kind_(other.kind_),
      temporary_(std::exchange(other.temporary_, {})),
      is_unwanted_(other.is_unwanted_),
      keeper_(std::move(other.keeper_)) {}

OutputFile::Keeper::Keeper(Keeper&& other) noexcept
    : link(std::move(other.link)), pid(std::exchange(other.pid, 0)) {}
OutputFile::Keeper& OutputFile::Keeper::operator=(Keeper&& other) noexcept {
  std::swap(link, other.link);
  std::swap(pid, other.pid);
  return *this;
}
OutputFile::Keeper::~Keeper() {
  link = Fd{};
  if (pid > 0) waitpid(pid, nullptr, 0);
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Result<void> OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      is_unwanted_ = n < 0 && errno == EPIPE;
      return cannot_write(path_, n == 0 ? ENOSPC : errno);
    }
  }
  return {};
}

// What has none gets a name beside its place: only a rename replaces what stands there.
Result<void> OutputFile::name() {
  const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
  for (int attempt = 0; temporary_.empty(); ++attempt) {
    const std::string temporary = beside(path_, attempt);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0)
      temporary_ = temporary;
    else if (errno != EEXIST || attempt == kMostAttempts)
      return cannot_write(path_, errno);
  }
  return {};
}

Result<void> OutputFile::keep() {
  if (kind_ == Kind::kAsItIs) return {};
  return keeper_.pid > 0 ? ask_keeper() : place();
}

Result<void> OutputFile::place() {
  // A name for what is not on the disk yet would outlive a power cut without it.
  if (fsync(fd_.get()) != 0) return cannot_write(path_, errno);
  if (auto named = name(); !named) return named;
  // Some file systems tell only now that there was no room.
  if (close(fd_.release()) != 0) return cannot_write(path_, errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  temporary_.clear();
  return {};
}

Result<void> OutputFile::lend_rights() {
  if (kind_ == Kind::kAsItIs) return {};
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return cannot_write(path_, errno);
  Fd ours{ends[0]}, childs{ends[1]};
  const int pid = fork();
  if (pid < 0) return cannot_write(path_, errno);
  if (pid == 0) {
    ours = Fd{};
    be_keeper(std::move(childs));
  }
  keeper_.link = std::move(ours);
  keeper_.pid = pid;
  temporary_.clear();  // the child's to remove
  return {};
}

void OutputFile::be_keeper(Fd link) {
  std::byte asked{};
  int error = 0;
  if (recv(link.get(), &asked, sizeof(asked), MSG_WAITALL) == sizeof(asked)) {
    const auto placed = place();
    error = placed ? 0 : placed.error().error_number;
    send(link.get(), &error, sizeof(error), MSG_NOSIGNAL);
  }
  if (!temporary_.empty()) unlink(temporary_.c_str());
  _exit(0);  // nothing else here is its own
}

Result<void> OutputFile::ask_keeper() {
  if (close(fd_.release()) != 0) return cannot_write(path_, errno);
  const std::byte please{1};
  int error = 0;
  if (send(keeper_.link.get(), &please, sizeof(please), MSG_NOSIGNAL) != sizeof(please) ||
      recv(keeper_.link.get(), &error, sizeof(error), MSG_WAITALL) != sizeof(error))
    return Error{.action = "write " + path_, .reason = "the process that would keep it is gone"};
  return error == 0 ? Result<void>{} : cannot_write(path_, error);
}

bool OutputFile::is_terminal() const { return isatty(fd_.get()) != 0; }

}  // namespace nids
