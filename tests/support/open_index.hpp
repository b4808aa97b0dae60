// SPDX-License-Identifier: Apache-2.0
// The index of a directory by the directory's name.
#pragma once

#include <fcntl.h>

#include <string>

#include "nids/fd.hpp"
#include "retain/index.hpp"

namespace nids {

inline Result<Index> open_index(const std::string& directory, Index::Access access) {
  const Fd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return Index::open(fd.get(), directory, access);
}

}  // namespace nids
