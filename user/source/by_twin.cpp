// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "source/record_source.hpp"
#include "source/twin_tables.hpp"

namespace nids {
namespace {

class TwinSource final : public RecordSource {
 public:
  TwinSource(const RecordSourceSetup& setup, Sink sink)
      : first_pass_(setup.first_pass, setup.classes, *setup.ports, std::move(sink)) {}

  Result<bool> packet(const nids_twin_frame& frame) override {
    first_pass_.packet(frame);
    return true;
  }
  std::uint32_t command(const FlowIdentity& flow, nids_slot_address slot,
                        std::uint8_t word) override {
    return first_pass_.command(flow.key, flow.tunnel, slot.set, word);
  }
  Result<Reading> read() const override {
    return Reading{.counters = first_pass_.counters(), .live_by_scan = first_pass_.live_by_scan()};
  }
  FlowTables tables() const override { return tables_of(first_pass_); }

 private:
  FirstPass first_pass_;
};

}  // namespace

std::unique_ptr<RecordSource> source_by_twin(const RecordSourceSetup& setup,
                                             RecordSource::Sink sink) {
  return std::make_unique<TwinSource>(setup, std::move(sink));
}

}  // namespace nids
