// SPDX-License-Identifier: Apache-2.0
#include "kernel/tc.hpp"

#include <bpf/libbpf.h>

#include <cerrno>
#include <string>

#include "kernel/netlink.hpp"

namespace nids {
namespace {

// Ours alone: 0x6e78 spells "nx". A late priority, since we only look.
constexpr std::uint32_t kHandle = 0x6e78;
constexpr std::uint32_t kPriority = 0x6e78;

bpf_tc_hook hook_of(int ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = ifindex;
  hook.attach_point = point;
  return hook;
}

bpf_tc_opts our_filter() {
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = kHandle;
  options.priority = kPriority;
  return options;
}

void remove_clsact_if_empty(int ifindex) {
  const auto left = count_clsact_filters(ifindex);
  if (!left || *left != 0) return;
  auto both = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  bpf_tc_hook_destroy(&both);
}

}  // namespace

std::uint32_t egress_program(int ifindex) {
  const auto hook = hook_of(ifindex, BPF_TC_EGRESS);
  auto filter = our_filter();
  return bpf_tc_query(&hook, &filter) == 0 ? filter.prog_id : 0;
}

Result<bool> attach_egress(int ifindex, int program_fd) {
  auto hook = hook_of(ifindex, BPF_TC_EGRESS);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST)
    return Error{.action = "create a clsact qdisc",
                 .error_number = -created,
                 .hint = "to watch incoming packets only: --no-egress"};
  auto filter = our_filter();
  filter.prog_fd = program_fd;
  if (const int error = bpf_tc_attach(&hook, &filter); error != 0) {
    if (created == 0) remove_clsact_if_empty(ifindex);
    return Error{.action = "attach the egress filter",
                 .error_number = -error,
                 .hint = "to watch incoming packets only: --no-egress"};
  }
  return created == 0;
}

Result<void> detach_egress(int ifindex, std::uint32_t program_id, bool created_clsact) {
  if (egress_program(ifindex) != program_id) return {};  // gone, or somebody else's by now
  const auto hook = hook_of(ifindex, BPF_TC_EGRESS);
  const auto filter = our_filter();
  const int error = bpf_tc_detach(&hook, &filter);
  if (error != 0 && error != -ENOENT && error != -EINVAL)
    return Error{.action = "remove the egress filter", .error_number = -error};
  if (created_clsact) remove_clsact_if_empty(ifindex);
  return {};
}

}  // namespace nids
