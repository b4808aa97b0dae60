// SPDX-License-Identifier: Apache-2.0
// Who may attach and detach now, and whether an agent still uses the run directory. Attaches
// nothing itself.
#pragma once

#include <chrono>
#include <string>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

namespace nids {

// Serialises attach and detach of all processes; released by the destructor. `directory` is made
// where it is missing, and removed again, with the place of the bpffs in it, where no agent stays
// and nothing else is in it.
class AttachLock {
 public:
  // An error says who has it all the time.
  [[nodiscard]] static Result<AttachLock> take(
      const std::string& directory, std::chrono::milliseconds may_take = std::chrono::seconds(10));
  AttachLock(AttachLock&&) noexcept = default;
  ~AttachLock();

  // The directory is kept until this is closed, and the process has ended.
  [[nodiscard]] Result<Fd> stay() const;

 private:
  AttachLock(Fd fd, std::string directory) : fd_(std::move(fd)), directory_(std::move(directory)) {}
  Fd fd_;
  std::string directory_;
};

}  // namespace nids
