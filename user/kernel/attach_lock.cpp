// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <thread>

namespace nids {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(10);

// Bytes of the file; what is written there does not matter to a lock.
constexpr off_t kAtWork = 0;  // exclusive: somebody attaches or detaches
constexpr off_t kAlive = 1;   // shared: agents that may have a bpffs in the directory

// Of the open file, not of the process: a second one of this process counts as another's.
struct flock lock_of(short type, off_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

std::string file_in(const std::string& directory) { return directory + "/lock"; }

// Nobody else can open it, and so nobody else can lock it.
Result<Fd> open_file(const std::string& directory) {
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) return Error{.action = "create " + directory, .error_number = made.value()};
  Fd fd{open(file_in(directory).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd) return Error{.action = "open " + file_in(directory), .error_number = errno};
  return fd;
}

std::string holder_of(int fd) {
  std::array<char, 24> text{};
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  const std::string_view pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string_view::npos)
    return "another nids-xdp";
  return "another nids-xdp, process " + std::string(pid) + ",";
}

void sign(int fd) {
  const std::string pid = std::to_string(getpid());
  // Only for the message above.
  if (ftruncate(fd, 0) == 0) [[maybe_unused]]
    const ssize_t written = pwrite(fd, pid.data(), pid.size(), 0);
}

// Of agents that were killed: none lives.
void remove_sockets(const std::string& directory) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed))
    if (entry.is_socket(failed)) unlink(entry.path().c_str());
}

}  // namespace

Result<AttachLock> AttachLock::take(const std::string& directory,
                                    std::chrono::milliseconds may_take) {
  const auto deadline = std::chrono::steady_clock::now() + may_take;
  for (;;) {
    auto fd = open_file(directory);
    if (!fd && fd.error().error_number == ENOENT && std::chrono::steady_clock::now() < deadline)
      continue;  // removed as it was to be opened
    if (!fd) return fd.error();
    auto lock = lock_of(F_WRLCK, kAtWork);
    while (fcntl(fd->get(), F_OFD_SETLK, &lock) != 0) {
      if (errno != EAGAIN && errno != EACCES && errno != EINTR)
        return Error{.action = "lock " + file_in(directory), .error_number = errno};
      if (std::chrono::steady_clock::now() >= deadline)
        return Error{.action = "lock " + file_in(directory),
                     .reason = holder_of(fd->get()) + " attaches or detaches and does not finish",
                     .hint = "try again once it has ended"};
      std::this_thread::sleep_for(kLookEvery);
    }
    // The holder before us may have removed the file that we waited for.
    struct stat status {};
    if (fstat(fd->get(), &status) != 0 || status.st_nlink == 0) continue;
    sign(fd->get());
    return AttachLock{std::move(*fd), directory};
  }
}

Result<Fd> AttachLock::stay() const {
  auto fd = open_file(directory_);
  if (!fd) return fd;
  auto lock = lock_of(F_RDLCK, kAlive);
  if (fcntl(fd->get(), F_OFD_SETLK, &lock) != 0)
    return Error{.action = "lock " + file_in(directory_), .error_number = errno};
  return fd;
}

AttachLock::~AttachLock() {
  if (!fd_) return;
  auto others = lock_of(F_WRLCK, kAlive);
  if (fcntl(fd_.get(), F_OFD_GETLK, &others) != 0 || others.l_type != F_UNLCK) return;
  // Removing a directory would unmount what is mounted on it in other mount namespaces.
  rmdir((directory_ + "/bpf").c_str());  // fails where a bpffs is, as it should
  remove_sockets(directory_);
  unlink(file_in(directory_).c_str());
  rmdir(directory_.c_str());  // the same where anything is in it
}

}  // namespace nids
