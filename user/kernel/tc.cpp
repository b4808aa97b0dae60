// SPDX-License-Identifier: Apache-2.0
#include "kernel/tc.hpp"

#include <bpf/libbpf.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "kernel/netlink.hpp"

namespace nids {
namespace {

// Ours alone: 0x6e78 spells "nx".
constexpr std::uint32_t kHandle = 0x6e78;

bpf_tc_attach_point point_of(TcHook hook) {
  return hook == TcHook::kIngress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

std::string name_of(TcHook hook) {
  return hook == TcHook::kIngress ? "the ingress filter" : "the egress filter";
}

const char* way_without(TcHook hook) {
  return hook == TcHook::kIngress ? "to watch incoming packets by XDP: --mode auto"
                                  : "to watch incoming packets only: --no-egress";
}

bpf_tc_hook hook_of(int ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = ifindex;
  hook.attach_point = point;
  return hook;
}

bpf_tc_opts our_filter(std::uint32_t priority) {
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = kHandle;
  options.priority = priority;
  return options;
}

Result<std::optional<FilterFacts>> find_ours(int ifindex, TcHook hook) {
  auto filters = list_filters(ifindex, hook == TcHook::kEgress);
  if (!filters) return filters.error();
  const auto ours = std::ranges::find(*filters, kHandle, &FilterFacts::handle);
  if (ours == filters->end()) return std::optional<FilterFacts>{};
  return std::optional<FilterFacts>{std::move(*ours)};
}

// A filter behind one that decides sees nothing of what that one decided, so the first place there
// is. Filters share a priority only with those of their kind and protocol.
std::uint32_t first_priority(const std::vector<FilterFacts>& filters) {
  std::uint32_t priority = 1;
  for (const FilterFacts& filter : filters)  // by priority
    if (filter.priority == priority && (filter.kind != "bpf" || filter.protocol != ETH_P_ALL))
      ++priority;
  return priority;
}

void remove_clsact_if_empty(int ifindex) {
  const auto left = count_clsact_filters(ifindex);
  if (!left || *left != 0) return;
  auto both = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  bpf_tc_hook_destroy(&both);
}

}  // namespace

Result<std::uint32_t> filter_program(int ifindex, TcHook hook) {
  auto ours = find_ours(ifindex, hook);
  if (!ours) return ours.error();
  return *ours ? (*ours)->program_id : 0;
}

std::string filters_before_ours(int ifindex, TcHook hook) {
  std::string before;
  const auto filters = list_filters(ifindex, hook == TcHook::kEgress);
  if (!filters) return before;
  for (const FilterFacts& filter : *filters) {
    if (filter.handle == kHandle) return before;
    before += (before.empty() ? "" : ", ") + filter.kind + " of priority " +
              std::to_string(filter.priority);
  }
  return {};  // ours is not there
}

Result<bool> attach_filter(int ifindex, TcHook hook, int program_fd) {
  auto place = hook_of(ifindex, point_of(hook));
  const int created = bpf_tc_hook_create(&place);
  if (created != 0 && created != -EEXIST)
    return Error{
        .action = "create a clsact qdisc", .error_number = -created, .hint = way_without(hook)};
  const auto refuse = [&](int error_number) {
    if (created == 0) remove_clsact_if_empty(ifindex);
    return Error{.action = "attach " + name_of(hook),
                 .error_number = error_number,
                 .hint = way_without(hook)};
  };
  const auto filters = list_filters(ifindex, hook == TcHook::kEgress);
  if (!filters) return refuse(filters.error().error_number);
  // The older qdisc `ingress` has one list for both ways, in which ours is already.
  if (std::ranges::find(*filters, kHandle, &FilterFacts::handle) != filters->end())
    return refuse(EEXIST);
  auto filter = our_filter(first_priority(*filters));
  filter.prog_fd = program_fd;
  if (const int error = bpf_tc_attach(&place, &filter); error != 0) return refuse(-error);
  return created == 0;
}

Result<void> detach_filter(int ifindex, TcHook hook, std::uint32_t program_id,
                           bool created_clsact) {
  const std::string action = "remove " + name_of(hook);
  auto ours = find_ours(ifindex, hook);
  if (!ours) return Error{.action = action, .error_number = ours.error().error_number};
  if (!*ours || (*ours)->program_id != program_id) return {};  // gone, or somebody else's by now
  const auto place = hook_of(ifindex, point_of(hook));
  const auto filter = our_filter((*ours)->priority);
  const int error = bpf_tc_detach(&place, &filter);
  if (error != 0 && error != -ENOENT && error != -EINVAL)
    return Error{.action = action, .error_number = -error};
  if (created_clsact) remove_clsact_if_empty(ifindex);
  return {};
}

}  // namespace nids
