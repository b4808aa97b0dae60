// SPDX-License-Identifier: Apache-2.0
#include "agent/output_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "retain/index.hpp"
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
    if (name != "." && name != ".." && !name.starts_with(kIndexFile) && !SegmentName::parse(name))
      return false;
  }
  return true;
}

Error refuse(const std::string& path, std::string reason) {
  return Error{.action = "keep packets in " + path,
               .reason = std::move(reason),
               .hint = "give --retain a directory of its own"};
}

constexpr std::string_view kIsTaken = "another process does";

Error not_locked(const std::string& path, int error) {
  if (error != EWOULDBLOCK) return Error{.action = "lock " + path, .error_number = error};
  return refuse(path, std::string(kIsTaken));
}

// What stands behind a slash would be looked for in the directory that a link points to.
std::string without_trailing_slashes(std::string path) {
  const bool is_empty = path.empty();
  while (path.size() > 1 && (path.ends_with('/') || path.ends_with("/.")))
    path.erase(path.size() - (path.ends_with('/') ? 1 : 2));
  return path.empty() && !is_empty ? "/" : path;
}

bool is_symlink(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored);
}

// O_NOFOLLOW guards the last name only; the ones before it are root's to arrange.
Result<Fd> open_directory(const std::string& path) {
  Fd fd{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return Error{.action = "open the directory " + path, .error_number = errno};
  return fd;
}

// Whoever may write there may put another file, or a link to one, in the place of ours. What can't
// be looked at, open() says itself.
Result<void> check_eve_directory(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0) return {};
  const bool is_foreign = status.st_uid != 0 && status.st_uid != geteuid();
  const bool may_group =
      (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0 && status.st_gid != getegid();
  if (!is_foreign && !may_group && (status.st_mode & S_IWOTH) == 0) return {};
  return Error{.action = "write alerts to " + path,
               .reason = is_foreign ? "its directory belongs to another user"
                                    : "other users may write to its directory",
               .hint = "name one that only its owner may write to"};
}

}  // namespace

Result<Fd> open_standard_output(WhenFull when_full) {
  struct stat status {};
  if (when_full == WhenFull::kLose && fstat(STDOUT_FILENO, &status) == 0 &&
      (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
    // An open file of our own: O_NONBLOCK on the one that was inherited is on all who share it. A
    // regular file never blocks, and its position is to be shared.
    Fd own{open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (own) return own;
  }
  Fd fd{fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
  if (!fd) return Error{.action = "write to standard output", .error_number = errno};
  return fd;
}

Result<Fd> open_eve(const std::string& path, bool make_directories) {
  if (path == "-") return open_standard_output(WhenFull::kWait);
  if (make_directories) {
    std::error_code ignored;  // open() says why
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  }
  if (auto safe = check_eve_directory(path); !safe) return safe.error();
  // O_NONBLOCK: a pipe that nobody reads must not hold up the agent.
  Fd fd{open(path.c_str(),
             O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640)};
  const int error = errno;
  if (!fd && is_symlink(path))
    return Error{.action = "write alerts to " + path,
                 .reason = "it is a symbolic link",
                 .hint = "name the file that it points to; - is standard output"};
  if (!fd) return Error{.action = "write alerts to " + path, .error_number = error};
  return fd;
}

Store::Limits store_limits(const Config& config, Store::WhenBehind when_behind) {
  const Config::Retain& retain = config.retain;
  return {.budget_bytes = retain.budget_bytes,
          .segment_bytes = retain.segment_bytes,
          .segment_time = std::chrono::seconds(retain.segment_seconds),
          .min_free_share = retain.min_free_percent / 100.0,
          .max_waiting_bytes = retain.queue_bytes,
          .max_alerts = retain.max_alerts,
          .sync = retain.sync == Config::Retain::Sync::kSecond    ? Sync::kSecond
                  : retain.sync == Config::Retain::Sync::kSegment ? Sync::kSegment
                                                                  : Sync::kNever,
          .when_behind = when_behind};
}

Result<Fd> open_packet_directory(const std::string& name, const AgentUser& user) {
  const std::string path = without_trailing_slashes(name);
  if (is_symlink(path))
    return Error{.action = "keep packets in " + path,
                 .reason = "it is a symbolic link",
                 .hint = "name the directory that it points to"};
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
  if (flock(fd->get(), LOCK_EX | LOCK_NB) != 0) return not_locked(path, errno);
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

Result<Fd> open_free_packet_directory(std::string& path, const AgentUser& user) {
  constexpr int kAgents = 64;
  const std::string first = path;
  for (int number = 2;; ++number) {
    auto fd = open_packet_directory(path, user);
    if (fd || fd.error().reason != kIsTaken || number > kAgents) return fd;
    path = first + "-" + std::to_string(number);
  }
}

}  // namespace nids
