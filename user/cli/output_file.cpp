// SPDX-License-Identifier: Apache-2.0
#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

namespace nids {
namespace {

constexpr int kMostAttempts = 100;

Error cannot_write(const std::string& path, int error) {
  return {.action = "write " + (path == "-" ? "to standard output" : path), .error_number = error};
}

// ".name.PID-N.part", in the directory of the place itself: a rename then does it.
std::string beside(const std::string& name, int attempt) {
  return "." + name.substr(0, 200) + "." + std::to_string(getpid()) + "-" +
         std::to_string(attempt) + ".part";
}

// A path of what is open, whatever else has come to stand in its place since.
std::string link_to(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// What is neither a file nor to be one. The maker of a pipe reads what is written to it: one that
// waits in a directory of all, under a name that root may give, would get his packets.
Result<void> may_be_written(const std::string& path, const struct stat& status) {
  if (S_ISLNK(status.st_mode))
    return Error{.action = "write " + path,
                 .reason = "it is a symbolic link",
                 .hint = "name the file that it points to; - is standard output"};
  if (S_ISFIFO(status.st_mode) && status.st_uid != geteuid() && status.st_uid != 0)
    return Error{
        .action = "write " + path,
        .reason = "it is a pipe of another user's, of uid " + std::to_string(status.st_uid),
        .hint = "where it is yours and this runs by sudo: -o - > " + path};
  return {};
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  if (path == "-") {
    Fd fd{fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
    if (!fd) return cannot_write(path, errno);
    return OutputFile(std::move(fd), path, Kind::kAsItIs);
  }
  const std::size_t slash = path.rfind('/');
  const std::string name = path.substr(slash == path.npos ? 0 : slash + 1);
  const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  Fd directory{open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return cannot_write(path, errno);
  if (name.empty()) return cannot_write(path, EISDIR);
  const Fd there{openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (!there && errno != ENOENT) return cannot_write(path, errno);
  struct stat status {};
  if (there && fstat(there.get(), &status) != 0) return cannot_write(path, errno);
  if (there && !S_ISREG(status.st_mode)) {
    if (auto allowed = may_be_written(path, status); !allowed) return allowed.error();
    Fd fd{open(link_to(there).c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)};
    if (!fd) return cannot_write(path, errno);
    return OutputFile(std::move(fd), path, Kind::kAsItIs);
  }
  return to_be_placed(std::move(directory), name, path);
}

Result<OutputFile> OutputFile::to_be_placed(Fd directory, const std::string& name,
                                            const std::string& path) {
  Fd nameless{openat(directory.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)};
  OutputFile output(std::move(nameless), path, Kind::kNameless);
  output.directory_ = std::move(directory);
  output.name_ = name;
  if (output.fd_) return output;
  output.kind_ = Kind::kNamed;
  for (int attempt = 0;; ++attempt) {
    const std::string temporary = beside(name, attempt);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
    output.fd_ = Fd{openat(output.directory_.get(), temporary.c_str(), kFlags, 0600)};
    if (output.fd_) {
      output.temporary_ = temporary;
      return output;
    }
    if (errno != EEXIST || attempt == kMostAttempts) return cannot_write(path, errno);
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
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

OutputFile::~OutputFile() { remove_temporary(); }

void OutputFile::remove_temporary() {
  if (!temporary_.empty()) unlinkat(directory_.get(), temporary_.c_str(), 0);
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
  for (int attempt = 0; temporary_.empty(); ++attempt) {
    const std::string temporary = beside(name_, attempt);
    if (linkat(AT_FDCWD, link_to(fd_).c_str(), directory_.get(), temporary.c_str(),
               AT_SYMLINK_FOLLOW) == 0)
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
  if (renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0)
    return cannot_write(path_, errno);
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
  directory_ = Fd{};
  return {};
}

void OutputFile::be_keeper(Fd link) {
  // It ends with its link, and cleans up then.
  for (const int ends : {SIGINT, SIGTERM, SIGHUP}) std::signal(ends, SIG_IGN);
  std::byte asked{};
  int error = 0;
  if (recv(link.get(), &asked, sizeof(asked), MSG_WAITALL) == sizeof(asked)) {
    const auto placed = place();
    error = placed ? 0 : placed.error().error_number;
    send(link.get(), &error, sizeof(error), MSG_NOSIGNAL);
  }
  remove_temporary();
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
