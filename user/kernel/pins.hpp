// SPDX-License-Identifier: Apache-2.0
// Pins for readers without root, in a bpffs of our own: counters only. Nothing else relies on them.
#pragma once

#include <string>
#include <vector>

#include "kernel/attachment.hpp"
#include "nids/result.hpp"

namespace nids {

class Pins {
 public:
  explicit Pins(std::string directory) : directory_(std::move(directory)) {}

  // Mounts the bpffs where it is missing and pins the public maps, readable for `group` (-1:
  // root only).
  [[nodiscard]] Result<void> pin(const Attachment& attachment, int group) const;
  // Removes the pins of one interface, and unmounts the bpffs once it is empty; its directory is
  // AttachLock's to remove. Idempotent.
  void unpin(int ifindex) const;
  // Removes pins of interfaces of this network namespace that have no program of ours.
  void sweep() const;
  // Maps of this network namespace's pins, for readers without privileges.
  [[nodiscard]] Result<std::vector<Maps>> open_all() const;

 private:
  std::string directory_;  // of the bpffs
};

}  // namespace nids
