// SPDX-License-Identifier: Apache-2.0
#include "kernel/test_run.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <utility>

#include "nids.skel.h"

namespace nids {
namespace {

// What the kernel answers to a frame that is too long for it, by its page size and how many pages
// a packet may have.
bool is_about_the_frame(int error) {
  return error == EINVAL || error == EMSGSIZE || error == E2BIG || error == ENOMEM;
}

}  // namespace

Result<TestRun> TestRun::load(const ProgramSetup& setup, RingReader::Sink sink) {
  const std::string action = "load the program into the kernel";
  auto object = open_object(0, "", setup);
  if (!object) return object.error();
  TestRun run;
  run.object_ = std::move(*object);
  nids_bpf& bpf = *run.object_.skeleton;
  bpf_program__set_autoload(bpf.progs.nids_replay, true);
  if (const int error = nids_bpf__load(&bpf); error != 0)
    return Error{.action = action,
                 .error_number = -error,
                 .hint = "--log-level=debug shows what the kernel said"};
  run.program_ = bpf_program__fd(bpf.progs.nids_replay);
  auto maps = Maps::of_object(bpf.obj);
  if (!maps) return maps.error();
  run.maps_ = std::move(*maps);
  run.clock_ = Mapped<nids_clock>{run.maps_.fd("nids_clock")};
  if (!run.clock_) return Error{.action = "map the packets' clock", .error_number = errno};
  auto flow_maps = FlowMaps::of(run.maps_);
  if (!flow_maps) return flow_maps.error();
  run.flow_maps_ = std::move(*flow_maps);
  if (auto added = run.ring_.add(run.object_.rings.front().get(), std::move(sink)); !added)
    return added.error();
  return run;
}

Result<bool> TestRun::frame(const nids_clock& clock, std::span<const std::byte> buffer) {
  *clock_.get() = clock;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = buffer.data();
  options.data_size_in = static_cast<std::uint32_t>(buffer.size());
  options.repeat = 1;
  if (bpf_prog_test_run_opts(program_, &options) != 0) {
    if (is_about_the_frame(errno)) return false;
    return Error{.action = "run a packet through the program in the kernel", .error_number = errno};
  }
  // At once, so that the ring has room for the records of any one packet.
  for (bool has_more = true; has_more;) {
    auto taken = ring_.consume();
    if (!taken) return taken.error();
    has_more = *taken;
  }
  return true;
}

Result<nids_counters> TestRun::counters() const {
  auto reading = maps_.read();
  if (!reading) return reading.error();
  return reading->counters;
}

Result<nids_sum> TestRun::live_by_scan() const {
  const auto live = maps_.live_by_scan();
  if (!live) return Error{.action = "map the flow table", .error_number = errno};
  return *live;
}

}  // namespace nids
