// SPDX-License-Identifier: Apache-2.0
#include "agent/outputs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "retain/segment.hpp"

namespace nids {
namespace {

// By the fd that will be used, not by a name that may mean something else by now.
bool holds_only_segments(int directory_fd) {
  Fd copy{openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const Handle<DIR, closedir> entries{copy ? fdopendir(copy.get()) : nullptr};
  if (!entries) return false;
  copy.release();  // closedir() closes it
  while (const dirent* entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !SegmentName::parse(name)) return false;
  }
  return true;
}

Error refuse(const std::string& path, std::string reason) {
  return Error{.action = "keep packets in " + path,
               .reason = std::move(reason),
               .hint = "give --retain a directory of its own"};
}

// O_NOFOLLOW guards the last name only; the ones before it are root's to arrange.
Result<Fd> open_directory(const std::string& path) {
  Fd fd{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return Error{.action = "open the directory " + path, .error_number = errno};
  return fd;
}

}  // namespace

Result<Fd> open_eve(const std::string& path, bool make_directories) {
  if (path == "-") {
    Fd fd{fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
    if (!fd) return Error{.action = "write to standard output", .error_number = errno};
    return fd;
  }
  if (make_directories) {
    std::error_code ignored;  // open() says why
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  }
  // O_NONBLOCK: a pipe that nobody reads must not hold up the agent.
  Fd fd{open(path.c_str(),
             O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640)};
  if (!fd) return Error{.action = "write alerts to " + path, .error_number = errno};
  return fd;
}

Result<Fd> open_packet_directory(const std::string& path, const AgentUser& user) {
  std::error_code made;
  const bool is_new = std::filesystem::create_directories(path, made);
  if (made) return Error{.action = "create the directory " + path, .error_number = made.value()};
  auto fd = open_directory(path);
  if (!fd) return fd;
  struct stat status {};
  if (fstat(fd->get(), &status) != 0)
    return Error{.action = "open the directory " + path, .error_number = errno};
  if (is_new && fchmod(fd->get(), 0750) != 0)
    return Error{.action = "set the rights of " + path, .error_number = errno};
  if (!is_new && (status.st_mode & S_IWOTH) != 0) return refuse(path, "everybody may write to it");
  if (status.st_uid == user.uid) return fd;
  if (status.st_uid != 0 && status.st_uid != geteuid())
    return refuse(path, "it belongs to another user");
  if (!is_new && !holds_only_segments(fd->get()))
    return refuse(
        path, "it holds other files, and the agent's user " + user.name + " may not write to it");
  if (fchown(fd->get(), user.uid, user.gid) != 0)
    return Error{.action = "give " + path + " to the user " + user.name, .error_number = errno};
  return fd;
}

}  // namespace nids
