// SPDX-License-Identifier: Apache-2.0
// The metrics of the interfaces of this agent, read from mapped counters. Makes no system call,
// because the thread that calls it is confined.
#pragma once

#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel/handle.hpp"
#include "kernel/maps.hpp"

namespace nids {

struct MeteredInterface {
  std::string name;
  KernelReading first;  // for values that do not change: modes and sizes
  std::span<const nids_counters> blocks;
  MappedArray<const nids_agent_counters> agent;
};

// The classes by index. Another thread may replace them.
class MeteredClasses {
 public:
  explicit MeteredClasses(std::vector<nids_class> classes) : classes_(std::move(classes)) {}
  void set(const std::vector<nids_class>& classes) {
    const std::lock_guard lock(mutex_);
    classes_ = classes;
  }
  std::vector<nids_class> get() const {
    const std::lock_guard lock(mutex_);
    return classes_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<nids_class> classes_;
};

std::string live_metrics(const std::vector<MeteredInterface>& interfaces,
                         const MeteredClasses& classes);

}  // namespace nids
