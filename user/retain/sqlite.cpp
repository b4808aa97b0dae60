// SPDX-License-Identifier: Apache-2.0
#include "retain/sqlite.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nids::sqlite {
namespace {

constexpr const char* kName = "nids-as-named";

int full_name_is_the_name(sqlite3_vfs*, const char* name, int size, char* out) {
  const std::size_t length = std::strlen(name) + 1;
  if (length > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length);
  return SQLITE_OK;
}

// SQLite would wait for the other end of a pipe that somebody put in a file's place.
int open_file(const char* path, int flags, int mode) {
  const int fd = ::open(path, flags | O_NONBLOCK, mode);
  struct stat status {};
  if (fd < 0 || (::fstat(fd, &status) == 0 && !S_ISFIFO(status.st_mode))) return fd;
  ::close(fd);
  errno = EINVAL;
  return -1;
}

// SQLite would open /dev/urandom, which a confined process can't.
int random_bytes(sqlite3_vfs*, int size, char* out) {
  const ssize_t got = ::getrandom(out, static_cast<std::size_t>(size), 0);
  return got < 0 ? 0 : static_cast<int>(got);
}

// SQLite's own, but for the walk through the directories above, in which it would replace links by
// what they point to.
bool register_as_named() {
  static sqlite3_vfs as_named{};
  sqlite3_vfs* own = sqlite3_vfs_find("unix");
  const auto open = reinterpret_cast<sqlite3_syscall_ptr>(open_file);
  if (!own || own->xSetSystemCall(own, "open", open) != SQLITE_OK) return false;
  as_named = *own;
  as_named.pNext = nullptr;
  as_named.zName = kName;
  as_named.xFullPathname = full_name_is_the_name;
  as_named.xRandomness = random_bytes;
  // The default: random numbers are asked of that one, whatever a database was opened by.
  return sqlite3_vfs_register(&as_named, 1) == SQLITE_OK;
}

}  // namespace

Connection open_in(int directory_fd, const char* file, int flags, int& result) {
  static const bool is_registered = register_as_named();
  sqlite3* db = nullptr;
  const std::string name = "/proc/self/fd/" + std::to_string(directory_fd) + "/" + file;
  result = is_registered ? sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_FULLMUTEX, kName)
                         : SQLITE_ERROR;
  return Connection(db);
}

}  // namespace nids::sqlite
