// SPDX-License-Identifier: Apache-2.0
// A mutex for a worker that holds it nearly all the time: when it lets go and takes it again, a
// thread that waits gets it first. With a plain mutex, that thread could wait for ever.
#pragma once

#include <mutex>

namespace nids {

class FairMutex {
 public:
  void lock() {
    next_.lock();
    held_.lock();
    next_.unlock();
  }
  void unlock() { held_.unlock(); }

 private:
  std::mutex next_;  // of whoever gets it next
  std::mutex held_;
};

}  // namespace nids
