// SPDX-License-Identifier: Apache-2.0
// A mutex for a worker that holds it nearly all the time. If the worker unlocks and locks it again,
// a thread that waits gets it first. With std::mutex that thread could wait for ever.
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
  std::mutex next_;  // held by the thread that gets `held_` next
  std::mutex held_;
};

}  // namespace nids
