// SPDX-License-Identifier: Apache-2.0
// All outputs of an agent or a replay, and the suppression of repeated alerts. All workers share
// one object, so any thread may make any call unless its comment says otherwise.
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

// The files and sockets that were opened for the outputs. An output without its member is left out.
struct Sinks {
  std::optional<EveWriter> eve;
  std::optional<Store> store;
  bool store_is_missing = false;  // packets are wanted, but there is no store
  std::optional<UdpExporter> exporter;
  bool exporter_is_missing = false;                 // wanted, but could not be opened
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
    std::size_t max_changes = 16'384;  // in the queue for clients that follow flows
  };
  Outputs(Settings settings, Sinks sinks);
  Outputs(const Outputs&) = delete;  // the outputs point at the names and counters

  // Call it before the first worker starts.
  void watch(std::uint32_t ifindex, nids_agent_counters& counters);

  const Names& names() const { return names_; }
  // Call it only while no worker runs.
  void use_class_names(std::vector<std::string> names) { names_.classes = std::move(names); }
  FlowChanges& changes() { return changes_; }
  bool keeps_packets() const { return retain_ != nullptr; }
  // If so, NIDS_DEGRADED_RETAIN is always set.
  bool misses_store() const { return store_is_missing_; }

  // Returns false if the alert is suppressed. Else the caller completes it and calls render().
  [[nodiscard]] bool is_news(const Alert& alert);
  // Names the interface of the packet, if the alert names none.
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
  EveOutput* eve() { return eve_; }        // null: there is no EVE log
  IpfixOutput* ipfix() { return ipfix_; }  // null: there is no exporter
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

  Names names_;
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
