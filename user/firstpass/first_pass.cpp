// SPDX-License-Identifier: Apache-2.0
#include "firstpass/first_pass.hpp"

#include <algorithm>
#include <bit>

#include "nids/live.hpp"

namespace nids {

constexpr std::uint64_t kSecond_ns = 1'000'000'000;

// SplitMix64: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014.
std::array<std::uint64_t, NIDS_HASH_KEYS> hash_keys_of(std::uint64_t seed) {
  std::array<std::uint64_t, NIDS_HASH_KEYS> keys;
  for (std::uint64_t& key : keys) {
    std::uint64_t mixed = seed += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    key = mixed ^ mixed >> 31;
  }
  return keys;
}

FirstPass::FirstPass(const Setup& setup, std::span<const nids_class> classes,
                     const nids_port_classes& ports, Sink sink)
    : sets4_(setup.slots / NIDS_WAYS),
      sets6_(setup.slots_ipv6 / NIDS_WAYS),
      cells_(std::max(setup.slots, setup.slots_ipv6)),
      datagrams_(NIDS_TWIN_DATAGRAMS),
      sink_(std::move(sink)),
      twin_(new nids_twin{}) {
  std::ranges::copy(classes.first(std::min<std::size_t>(classes.size(), NIDS_CLASS_MAX)),
                    twin_->classes);
  twin_->ports = ports;
  twin_->sets4 = sets4_.data();
  twin_->sets6 = sets6_.data();
  twin_->cells = cells_.data();
  twin_->datagrams = datagrams_.data();
  twin_->set4_count = static_cast<std::uint32_t>(sets4_.size());
  twin_->set6_count = static_cast<std::uint32_t>(sets6_.size());
  twin_->cell_bits = static_cast<std::uint32_t>(std::bit_width(cells_.size()) - 1);
  twin_->features = setup.features;
  twin_->snap_bytes = std::min(setup.snap_bytes, NIDS_SNAP_MAX);
  twin_->sample_bytes = std::min(setup.sample_bytes, NIDS_SNAP_MAX);
  twin_->tick_ns = setup.tick_ns;
  twin_->ring_count = setup.rings;
  twin_->sample_window_ns = static_cast<std::uint64_t>(setup.sample_window.count()) * kSecond_ns;
  std::ranges::copy(hash_keys_of(setup.hash_seed), twin_->hash_keys);
  twin_->context = &sink_;
  twin_->sink = [](void* context, const void* record, std::size_t bytes) {
    (*static_cast<Sink*>(context))({static_cast<const std::byte*>(record), bytes});
  };
}

nids_sum FirstPass::live_by_scan() const {
  nids_sum live{};
  add_live(live, sets4_);
  add_live(live, sets6_);
  return live;
}

}  // namespace nids
