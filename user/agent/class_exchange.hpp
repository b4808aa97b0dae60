// SPDX-License-Identifier: Apache-2.0
// Replaces the classes of all workers and outputs of the agent while no worker runs. If an index
// gets another class, waits until the workers have taken all records of the old class. Flows keep
// the name of their class. Only the control thread uses this class.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/class_index.hpp"
#include "config/config.hpp"
#include "output/outputs.hpp"
#include "worker/class_rules.hpp"
#include "worker/worker.hpp"

namespace nids {

class ClassExchange {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;
  using Pipelines = std::vector<std::unique_ptr<Pipeline>>;

  // Both must outlive the object.
  ClassExchange(const Config& config, Outputs& outputs) : config_(config), outputs_(outputs) {}

  void begin(std::uint32_t number, PlacedClasses classes, const Workers& workers);
  bool is_under_way() const { return next_.has_value(); }
  // Returns whether an exchange is under way and the rings have no record from before its begin().
  bool is_due(const Workers& workers) const;
  // Call it once is_due(). Returns the number that begin() got.
  std::uint32_t finish(const Workers& workers, const Pipelines& pipelines);
  const std::vector<nids_class>& classes() const { return rules_->wanted; }

 private:
  void keep_names(ClassRules& rules, const ClassSet& reused, const Pipelines& pipelines) const;

  struct Next {
    std::uint32_t number;
    PlacedClasses classes;
    std::vector<std::uint64_t> rounds;  // of each worker at begin()
  };
  const Config& config_;
  Outputs& outputs_;
  std::optional<Next> next_;
  std::shared_ptr<const ClassRules> rules_;  // null: still the classes of the start
};

}  // namespace nids
