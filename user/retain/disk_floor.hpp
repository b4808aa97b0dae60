// SPDX-License-Identifier: Apache-2.0
// How much more may be written to a disk of which a part has to stay free. Writes nothing.
#pragma once

#include <cstdint>
#include <functional>

namespace nids {

class DiskFloor {
 public:
  static constexpr std::uint64_t kLookEvery = 256u << 10;  // bytes

  // `share` of the disk of the directory stays free, for users without privileges; 0: no floor.
  DiskFloor(int directory_fd, double share) : directory_fd_(directory_fd), share_(share) {}

  // Whether so many bytes may be written beside those that were promised a place before, and that
  // `unwritten` tells. Asks it and the file system now and then only. True where that does not
  // tell: then the write will.
  bool takes(std::uint64_t bytes, const std::function<std::uint64_t()>& unwritten);

 private:
  int directory_fd_;
  double share_;
  std::uint64_t room_ = 0;  // that may be used before the disk is looked at again
};

}  // namespace nids
