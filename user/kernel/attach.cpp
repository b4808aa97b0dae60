// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "kernel/attachment.hpp"
#include "kernel/diagnostics.hpp"
#include "kernel/tc.hpp"
#include "nids.skel.h"

namespace nids {
namespace {

constexpr std::size_t kToUndo = 12;  // libxdp's dispatcher needs most
constexpr const char* kMoreDescriptors = "more open files are needed: ulimit -n";

using XdpProgram = Handle<xdp_program, xdp_program__close>;

// libxdp tells of errors in the pointer.
Result<XdpProgram> checked(xdp_program* program, const std::string& action) {
  if (const long error = libxdp_get_error(program); error != 0)
    return Error{.action = action, .error_number = static_cast<int>(-error)};
  return XdpProgram{program};
}

bool has_bpffs() {
  struct statfs status {};
  return statfs("/sys/fs/bpf", &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

// Beside other programs libxdp needs pins that outlive this command. Without a bpffs, as under
// `ip netns exec`, which gives each command mounts of its own, attach alone.
void choose_dispatcher() {
  if (!has_bpffs()) setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
}

// Attached for incoming packets; those that go out are still to come.
struct Loaded {
  Object object;
  nids_mode mode = NIDS_MODE_NATIVE;
  std::string reason;  // why this mode
  bool created_clsact = false;
};

// Only what will be attached is loaded: the verifier takes its time over each program.
Result<Object> open_programs(int ifindex, const std::string& ifname, const AttachOptions& options,
                             bool is_tc) {
  auto object = open_object(ifindex, ifname, options.setup);
  if (!object) return object.error();
  const auto& programs = object->skeleton->progs;
  bpf_program__set_autoload(is_tc ? programs.nids_ingress_tc : programs.nids_ingress, true);
  bpf_program__set_autoload(programs.nids_egress, options.egress);
  return object;
}

// One try in one mode, with an object of its own: a failed load can't be loaded again.
Result<Loaded> attach_xdp(int ifindex, const std::string& ifname, const AttachOptions& options,
                          nids_mode mode) {
  const std::string action = "attach the XDP program to " + ifname;
  auto object = open_programs(ifindex, ifname, options, false);
  if (!object) return object.error();
  auto program = checked(xdp_program__from_bpf_obj(object->skeleton->obj, "xdp.frags"),
                         "open the XDP program");
  if (!program) return program.error();
  take_kernel_message();
  const auto xdp_mode = mode == NIDS_MODE_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
  if (const int error = xdp_program__attach(program->get(), ifindex, xdp_mode, 0); error != 0)
    return Error{.action = action, .error_number = -error, .reason = take_kernel_message()};
  return Loaded{std::move(*object), mode, {}};
}

Result<Loaded> attach_tc(int ifindex, const std::string& ifname, const AttachOptions& options) {
  auto object = open_programs(ifindex, ifname, options, true);
  if (!object) return object.error();
  take_kernel_message();
  if (const int error = nids_bpf__load(object->skeleton.get()); error != 0)
    return Error{.action = "load the programs for " + ifname,
                 .error_number = -error,
                 .reason = take_kernel_message(),
                 .hint = "--log-level=debug shows what the kernel said"};
  auto created = attach_filter(ifindex, TcHook::kIngress,
                               bpf_program__fd(object->skeleton->progs.nids_ingress_tc));
  if (!created) return created.error();
  return Loaded{std::move(*object), NIDS_MODE_TC, "asked for", *created};
}

std::string owner_of(int ifindex) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  if (bpf_xdp_query(ifindex, 0, &query) != 0 || query.prog_id == 0) return {};
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  const Fd program{bpf_prog_get_fd_by_id(query.prog_id)};
  if (program) bpf_obj_get_info_by_fd(program.get(), &info, &size);
  return std::string(info.name) + " (id " + std::to_string(query.prog_id) + ")";
}

bool is_taken(int error) { return error == EBUSY || error == EEXIST; }

// Native refused for a reason that skb mode does not share.
bool is_worth_skb(int error) {
  return !is_taken(error) && error != EPERM && error != ENODEV && error != ENOMEM &&
         error != EMFILE && error != ENFILE;
}

Error explain(Error error, int ifindex, const std::string& ifname, ModeChoice mode) {
  if (is_taken(error.error_number)) {
    error.reason = "it already runs the XDP program " + owner_of(ifindex);
    error.hint =
        "nids-xdp does not replace it; to remove it: ip link set dev " + ifname + " xdp off";
  } else if (mode == ModeChoice::kNative) {
    error.hint = "the driver may have no native XDP; retry with --mode auto or skb";
  } else if (error.error_number == EPERM) {
    error.hint = "run as root; in a container, CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN are needed";
  }
  return error;
}

Result<Loaded> attach_in_mode(int ifindex, const std::string& ifname,
                              const AttachOptions& options) {
  if (options.mode == ModeChoice::kTc) return attach_tc(ifindex, ifname, options);
  const nids_mode first = options.mode == ModeChoice::kSkb ? NIDS_MODE_SKB : NIDS_MODE_NATIVE;
  auto loaded = attach_xdp(ifindex, ifname, options, first);
  if (loaded) {
    loaded->reason = options.mode == ModeChoice::kAuto ? "the driver has native XDP" : "asked for";
    return loaded;
  }
  const Error native = loaded.error();
  if (options.mode != ModeChoice::kAuto || !is_worth_skb(native.error_number))
    return explain(native, ifindex, ifname, options.mode);
  auto fallback = attach_xdp(ifindex, ifname, options, NIDS_MODE_SKB);
  if (!fallback) return explain(fallback.error(), ifindex, ifname, options.mode);
  fallback->reason =
      "native XDP was refused: " + (native.reason.empty() ? "" : native.reason + ": ") +
      std::strerror(native.error_number);
  return fallback;
}

Result<void> finish_attach(int ifindex, const AttachOptions& options, Loaded& loaded) {
  nids_info& info = loaded.object.info;
  const int info_map = loaded.object.info_map.get();
  std::strncpy(info.reason, loaded.reason.c_str(), sizeof(info.reason) - 1);
  if (loaded.created_clsact) {
    // Known before anything else can fail: by it the qdisc is removed.
    info.flags |= NIDS_INFO_CREATED_CLSACT;
    if (auto written = write_value(info_map, &info, "nids_info"); !written) return written;
  }
  if (options.egress) {
    auto created = attach_filter(ifindex, TcHook::kEgress,
                                 bpf_program__fd(loaded.object.skeleton->progs.nids_egress));
    if (!created) return created.error();
    info.flags |= NIDS_INFO_EGRESS | (*created ? NIDS_INFO_CREATED_CLSACT : 0u);
  }
  info.mode = loaded.mode;  // without a mode they were never completed
  return write_value(info_map, &info, "nids_info");
}

Result<void> detach_xdp(const Attachment& attachment) {
  const std::string action = "remove the XDP program from " + attachment.ifname;
  if (attachment.by_dispatcher) {
    auto program = checked(xdp_program__from_id(attachment.ingress_id), action);
    if (!program) return program.error();
    const auto xdp_mode = attachment.mode == NIDS_MODE_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
    if (const int error = xdp_program__detach(program->get(), attachment.ifindex, xdp_mode, 0);
        error != 0)
      return Error{.action = action,
                   .error_number = -error,
                   .hint = has_bpffs()
                               ? ""
                               : "it is in libxdp's dispatcher, whose record is in "
                                 "/sys/fs/bpf, which is not mounted here, as under ip netns "
                                 "exec; try: nsenter --net=/run/netns/NAME nids-xdp detach " +
                                     attachment.ifname};
    return {};
  }
  // Only where it is still ours: somebody may have replaced it meanwhile.
  const Fd program{bpf_prog_get_fd_by_id(attachment.ingress_id)};
  if (!program && errno == ENOENT) return {};
  if (!program) return Error{.action = action, .error_number = errno};
  bpf_xdp_attach_opts options{};
  options.sz = sizeof(options);
  options.old_prog_fd = program.get();
  const std::uint32_t flags =
      attachment.mode == NIDS_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
  const int error = bpf_xdp_detach(attachment.ifindex, flags, &options);
  if (error != 0 && error != -ENODEV && error != -EEXIST)
    return Error{.action = action, .error_number = -error};
  return {};
}

Result<void> remove_programs(const Attachment& attachment, bool created_clsact) {
  Result<void> result;
  if (attachment.ingress_id != 0)
    result = attachment.mode == NIDS_MODE_TC ? detach_filter(attachment.ifindex, TcHook::kIngress,
                                                             attachment.ingress_id, created_clsact)
                                             : detach_xdp(attachment);
  if (attachment.egress_id != 0)
    if (auto egress = detach_filter(attachment.ifindex, TcHook::kEgress, attachment.egress_id,
                                    created_clsact);
        !egress && result)
      result = egress;
  return result;
}

std::uint32_t id_of(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  const int fd = bpf_program__fd(program);
  return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

// By what was loaded, whether or not it can be found on the interface.
Result<void> undo(int ifindex, const std::string& ifname, const Loaded& loaded) {
  const auto& programs = loaded.object.skeleton->progs;
  const bool is_tc = loaded.mode == NIDS_MODE_TC;
  Attachment attachment{.ifindex = ifindex, .ifname = ifname};
  attachment.mode = loaded.mode;
  attachment.ingress_id = id_of(is_tc ? programs.nids_ingress_tc : programs.nids_ingress);
  attachment.egress_id = id_of(programs.nids_egress);
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  if (!is_tc && bpf_xdp_query(ifindex, 0, &query) == 0)
    attachment.by_dispatcher =
        attachment.ingress_id !=
        (loaded.mode == NIDS_MODE_SKB ? query.skb_prog_id : query.drv_prog_id);
  return remove_programs(attachment, (loaded.object.info.flags & NIDS_INFO_CREATED_CLSACT) != 0);
}

}  // namespace

Result<Attachment> attach(int ifindex, const std::string& ifname, const AttachOptions& options) {
  SpareDescriptors spare;
  if (!spare.reserve(kToUndo))
    return Error{.action = "attach to " + ifname, .error_number = errno, .hint = kMoreDescriptors};
  choose_dispatcher();
  auto loaded = attach_in_mode(ifindex, ifname, options);
  if (!loaded) return loaded.error();
  auto finished = finish_attach(ifindex, options, *loaded);
  auto found = find_attachment(ifindex, ifname);
  if (finished && found && *found) return std::move(**found);

  spare.release();
  if (auto undone = undo(ifindex, ifname, *loaded); !undone) return undone.error();
  if (!finished) return finished.error();
  const bool is_at_limit = !found && found.error().error_number == EMFILE;
  return Error{.action = "find the program again on " + ifname,
               .error_number = found ? 0 : found.error().error_number,
               .reason = found ? "it was removed at once" : "",
               .hint = is_at_limit ? kMoreDescriptors : ""};
}

Result<void> detach(const Attachment& attachment) {
  const auto info = attachment.maps.info();
  return remove_programs(attachment, info && (info->flags & NIDS_INFO_CREATED_CLSACT) != 0);
}

}  // namespace nids
