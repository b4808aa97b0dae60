// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernel/attachment.hpp"
#include "kernel/diagnostics.hpp"
#include "kernel/tc.hpp"
#include "nids.skel.h"

namespace nids {
namespace {

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

struct Loaded {
  Object object;
  xdp_attach_mode mode = XDP_MODE_NATIVE;
  std::string reason;  // why this mode
};

// One try in one mode, with an object of its own: a failed load can't be loaded again.
Result<Loaded> attach_xdp(int ifindex, const std::string& ifname, const ProgramSetup& setup,
                          xdp_attach_mode mode) {
  const std::string action = "attach the XDP program to " + ifname;
  auto object = open_object(ifindex, ifname, setup);
  if (!object) return object.error();
  auto program = checked(xdp_program__from_bpf_obj(object->skeleton->obj, "xdp.frags"),
                         "open the XDP program");
  if (!program) return program.error();
  take_kernel_message();
  if (const int error = xdp_program__attach(program->get(), ifindex, mode, 0); error != 0)
    return Error{.action = action, .error_number = -error, .reason = take_kernel_message()};
  return Loaded{std::move(*object), mode, {}};
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
  return !is_taken(error) && error != EPERM && error != ENODEV && error != ENOMEM;
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
  const xdp_attach_mode first = options.mode == ModeChoice::kSkb ? XDP_MODE_SKB : XDP_MODE_NATIVE;
  auto loaded = attach_xdp(ifindex, ifname, options.setup, first);
  if (loaded) {
    loaded->reason = options.mode == ModeChoice::kAuto ? "the driver has native XDP" : "asked for";
    return loaded;
  }
  const Error native = loaded.error();
  if (options.mode != ModeChoice::kAuto || !is_worth_skb(native.error_number))
    return explain(native, ifindex, ifname, options.mode);
  auto fallback = attach_xdp(ifindex, ifname, options.setup, XDP_MODE_SKB);
  if (!fallback) return explain(fallback.error(), ifindex, ifname, options.mode);
  fallback->reason =
      "native XDP was refused: " + (native.reason.empty() ? "" : native.reason + ": ") +
      std::strerror(native.error_number);
  return fallback;
}

Result<void> finish_attach(int ifindex, const AttachOptions& options, Loaded& loaded) {
  nids_info& info = loaded.object.info;
  info.mode = loaded.mode == XDP_MODE_SKB ? NIDS_MODE_SKB : NIDS_MODE_NATIVE;
  std::strncpy(info.reason, loaded.reason.c_str(), sizeof(info.reason) - 1);
  const nids_bpf& bpf = *loaded.object.skeleton;
  if (options.egress) {
    auto created = attach_egress(ifindex, bpf_program__fd(bpf.progs.nids_egress));
    if (!created) return created.error();
    info.flags |= NIDS_INFO_EGRESS | (*created ? NIDS_INFO_CREATED_CLSACT : 0u);
  }
  return write_value(loaded.object.info_map.get(), &info, "nids_info");
}

Result<void> detach_xdp(const Attachment& attachment) {
  const std::string action = "remove the XDP program from " + attachment.ifname;
  if (attachment.by_dispatcher) {
    auto program = checked(xdp_program__from_id(attachment.xdp_id), action);
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
  const Fd program{bpf_prog_get_fd_by_id(attachment.xdp_id)};
  if (!program) return {};
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

}  // namespace

Result<Attachment> attach(int ifindex, const std::string& ifname, const AttachOptions& options) {
  choose_dispatcher();
  auto loaded = attach_in_mode(ifindex, ifname, options);
  if (!loaded) return loaded.error();
  auto finished = finish_attach(ifindex, options, *loaded);
  auto found = find_attachment(ifindex, ifname);
  if (finished && found && *found) return std::move(**found);

  if (found && *found)
    if (auto undone = detach(**found); !undone) return undone.error();
  if (!finished) return finished.error();
  return Error{.action = "find the program again on " + ifname,
               .reason = found ? "it was removed at once" : found.error().message()};
}

Result<void> detach(const Attachment& attachment) {
  auto info = attachment.maps.info();
  const bool created = info && (info->flags & NIDS_INFO_CREATED_CLSACT) != 0;
  Result<void> result;
  if (attachment.xdp_id != 0) result = detach_xdp(attachment);
  if (attachment.egress_id != 0)
    if (auto egress = detach_egress(attachment.ifindex, attachment.egress_id, created);
        !egress && result)
      result = egress;
  return result;
}

Result<AttachLock> AttachLock::take(const std::string& directory) {
  for (;;) {
    std::error_code made;
    std::filesystem::create_directories(directory, made);
    if (made) return Error{.action = "create " + directory, .error_number = made.value()};
    Fd fd{open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) return Error{.action = "open " + directory, .error_number = errno};
    if (flock(fd.get(), LOCK_EX) != 0)
      return Error{.action = "lock " + directory, .error_number = errno};
    // The holder before us may have removed the directory that we waited for.
    struct stat status {};
    if (fstat(fd.get(), &status) == 0 && status.st_nlink > 0)
      return AttachLock{std::move(fd), directory};
  }
}

AttachLock::~AttachLock() {
  if (fd_) rmdir(directory_.c_str());  // fails where anything is in it, as it should
}

}  // namespace nids
