// SPDX-License-Identifier: Apache-2.0
// All outputs of an agent or a replay, and the suppression of repeated alerts before them. The
// workers share it: every call may come from any thread unless it says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "alert/suppression.hpp"
#include "export/udp_exporter.hpp"
#include "log/eve_writer.hpp"
#include "output/console_output.hpp"
#include "output/eve_output.hpp"
#include "output/flow_changes.hpp"
#include "output/ipfix_output.hpp"
#include "output/names.hpp"
#include "output/output.hpp"
#include "output/output_counters.hpp"
#include "output/retain_output.hpp"
#include "retain/store.hpp"

namespace nids {

// What was opened for the outputs. What is left out is not written.
struct Sinks {
  std::optional<EveWriter> eve;
  std::optional<Store> store;
  bool store_is_missing = false;  // packets are wanted, but there is no store
  std::optional<UdpExporter> exporter;
  bool exporter_is_missing = false;                 // it is wanted, but could not be opened
  std::function<void(const Alert&)> on_alert;       // an alert that was not suppressed
  std::function<std::uint64_t()> lines_lost;        // of those and of warnings, so far
  std::function<void(const std::string&)> warning;  // what failed, for people
};

class Outputs {
 public:
  struct Settings {
    Names names{};
    bool eve_has_flows = false;
    Suppression::Limits suppression{};
    std::size_t max_changes = 16'384;  // of flows, that wait for clients who follow them
  };
  Outputs(Settings settings, Sinks sinks);
  Outputs(const Outputs&) = delete;  // the outputs point at the names and counters

  // Before the first worker starts. Takes over what an agent that died left in `counters`.
  void watch(std::uint32_t ifindex, nids_agent_counters& counters);

  const Names& names() const { return names_; }
  FlowChanges& changes() { return changes_; }
  bool keeps_packets() const { return retain_ != nullptr; }
  bool misses_store() const { return store_is_missing_; }  // NIDS_DEGRADED_RETAIN for ever

  // Whether the alert repeats no other. If so, the caller completes it and calls render().
  [[nodiscard]] bool is_news(const Alert& alert);
  RaisedAlert render(Alert alert) const;
  // Raises an alert that no packet caused. `counters` are the caller's own.
  void raise(Alert alert, nids_agent_counters& counters);

  // Stores a packet. Call it only if keeps_packets().
  std::optional<Evidence> store(const StoredPacket& packet) { return retain_->on_packet(packet); }
  // `counters` are the caller's own.
  void alert(const AlertRecord& record, nids_agent_counters& counters);
  void flow(const FlowRecord& record, WallTime now);

  // The rest is for the control thread.
  void flush(WallTime now);
  void finish(WallTime now);
  std::uint64_t degraded() const;
  EveOutput* eve() { return eve_; }        // null: no EVE log is wanted
  IpfixOutput* ipfix() { return ipfix_; }  // null: none is wanted
  const OutputCounters& counters() const { return counters_; }

 private:
  template <class T, class... Arguments>
  T* add(Arguments&&... arguments) {
    auto output = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    T* const added = output.get();
    outputs_.push_back(std::move(output));
    return added;
  }
  void count();

  const Names names_;
  OutputCounters counters_;
  FlowChanges changes_;
  std::mutex suppression_mutex_;
  Suppression suppression_;
  std::uint64_t suppression_evictions_ = 0;  // counted so far
  const bool store_is_missing_, exporter_is_missing_;
  std::function<void(const std::string&)> warning_;
  std::vector<std::unique_ptr<Output>> outputs_;
  RetainOutput* retain_ = nullptr;
  EveOutput* eve_ = nullptr;
  IpfixOutput* ipfix_ = nullptr;
};

}  // namespace nids
