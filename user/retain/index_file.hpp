// SPDX-License-Identifier: Apache-2.0
// The index as a file: opened by its directory's descriptor, of our application, version and schema
// or refused. Asks and writes no row.
#pragma once

#include <string>

#include "nids/result.hpp"
#include "retain/sqlite.hpp"

namespace nids {

inline constexpr const char* kIndexFile = "index.sqlite";
// SQLite's own beside it, each with the file's name before it.
inline constexpr const char* kBesideIndex[] = {"-journal", "-wal", "-shm"};

// What to do about an index that can't be used, in words.
std::string reindex_hint(const std::string& path);

enum class IndexAccess { kRead, kWrite };

// Who writes makes the tables where there are none. `path` is for messages.
Result<sqlite::Connection> open_index_file(int directory_fd, const std::string& path,
                                           IndexAccess access, const char* file);

// The first of the file and those beside it that is there and no regular file; empty: none.
std::string odd_index_file(int directory_fd);

// Whether what stands in its place is none for this user: damaged, of another version, somebody
// else's, or no regular file. Not where the disk is at fault. Reads all of it.
bool is_index_unusable(int directory_fd);

// Under another name, and what stands beside it with it; nothing is left in its place.
Result<void> put_index_aside(int directory_fd);

}  // namespace nids
