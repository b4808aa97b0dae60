// SPDX-License-Identifier: Apache-2.0
#include "retain/disk_floor.hpp"

#include <sys/statvfs.h>

#include <algorithm>

namespace nids {
namespace {

// What the index may grow by unseen, of the disk; at most a share of it.
constexpr double kIndexReserve = 8 << 20, kIndexShare = 1.0 / 16;

}  // namespace

bool DiskFloor::takes(std::uint64_t bytes, const std::function<std::uint64_t()>& unwritten) {
  struct statvfs disk {};
  if (share_ <= 0) return true;
  if (room_ < bytes && ::fstatvfs(directory_fd_, &disk) == 0 && disk.f_blocks != 0) {
    const auto unit = static_cast<double>(disk.f_frsize);
    const double all = unit * static_cast<double>(disk.f_blocks);
    const double room = unit * static_cast<double>(disk.f_bavail) - share_ * all -
                        std::min(kIndexReserve, kIndexShare * all) -
                        static_cast<double>(unwritten());
    if (room < static_cast<double>(bytes)) return false;
    room_ = std::min(static_cast<std::uint64_t>(room), kLookEvery + bytes);
  }
  room_ -= std::min(room_, bytes);
  return true;
}

}  // namespace nids
