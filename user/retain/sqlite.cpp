// SPDX-License-Identifier: Apache-2.0
#include "retain/sqlite.hpp"

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

// SQLite's own, but for the walk through the directories above, in which it would replace links by
// what they point to.
bool register_as_named() {
  static sqlite3_vfs as_named{};
  const sqlite3_vfs* own = sqlite3_vfs_find("unix");
  if (!own) return false;
  as_named = *own;
  as_named.pNext = nullptr;
  as_named.zName = kName;
  as_named.xFullPathname = full_name_is_the_name;
  return sqlite3_vfs_register(&as_named, 0) == SQLITE_OK;
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
