// SPDX-License-Identifier: Apache-2.0
#include "firstpass/first_pass.hpp"

#include <algorithm>

namespace nids {

FirstPass::FirstPass(const Setup& setup, std::span<const nids_class> classes,
                     const nids_port_classes& ports, Sink sink)
    : sets_(setup.slots / NIDS_WAYS), sink_(std::move(sink)), twin_(new nids_twin{}) {
  std::ranges::copy(classes.first(std::min<std::size_t>(classes.size(), NIDS_CLASS_MAX)),
                    twin_->classes);
  twin_->ports = ports;
  twin_->sets = sets_.data();
  twin_->set_count = static_cast<std::uint32_t>(sets_.size());
  twin_->snap_bytes = std::min(setup.snap_bytes, NIDS_SNAP_MAX);
  twin_->hash_seed = setup.hash_seed;
  twin_->context = &sink_;
  twin_->sink = [](void* context, const void* record, std::size_t bytes) {
    (*static_cast<Sink*>(context))({static_cast<const std::byte*>(record), bytes});
  };
}

nids_sum FirstPass::live_by_scan() const {
  nids_sum live{};
  for (const nids_flow_set& set : sets_)
    for (const nids_flow_slot& slot : set.way) {
      live.packets += slot.packets[0] + slot.packets[1];
      live.bytes += slot.bytes[0] + slot.bytes[1];
    }
  return live;
}

}  // namespace nids
