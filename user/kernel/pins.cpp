// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.hpp"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>

namespace nids {
namespace {

namespace fs = std::filesystem;

std::string netns_prefix() {
  struct stat status {};
  const bool known = stat("/proc/self/ns/net", &status) == 0;
  return (known ? std::to_string(status.st_ino) : "0") + "-";
}

bool is_bpffs(const std::string& path) {
  struct statfs status {};
  return statfs(path.c_str(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

Result<void> allow(const std::string& path, mode_t mode, int group) {
  // bpffs takes an owner only after it is mounted (6.1), so by path, each by itself.
  const auto gid = static_cast<gid_t>(group < 0 ? 0 : group);
  if (chown(path.c_str(), 0, gid) != 0 || chmod(path.c_str(), mode) != 0)
    return Error{.action = "set the rights of " + path, .error_number = errno};
  return {};
}

Result<void> mount_bpffs(const std::string& directory, int group) {
  if (!is_bpffs(directory)) {
    if (mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST)
      return Error{.action = "create " + directory, .error_number = errno};
    if (mount("bpf", directory.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
      return Error{.action = "mount a bpffs on " + directory, .error_number = errno};
  }
  return allow(directory, group < 0 ? 0700 : 0750, group);
}

// Ours of any network namespace, named NUMBER-NUMBER. Nothing else counts: the kernel puts files of
// its own into a new bpffs, and iproute2 takes the first bpffs that it finds for its directories.
bool has_pins(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    const bool is_numbers = name.find_first_not_of("0123456789-") == std::string::npos;
    if (is_numbers && name.find('-') != std::string::npos) return true;
  }
  return static_cast<bool>(error);
}

// Pins of this network namespace: directory name and interface index.
std::vector<std::pair<std::string, int>> own_pins(const std::string& directory) {
  std::vector<std::pair<std::string, int>> pins;
  const std::string prefix = netns_prefix();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    int ifindex = 0;
    if (!name.starts_with(prefix)) continue;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), ifindex);
    if (ifindex > 0) pins.emplace_back(entry.path(), ifindex);
  }
  return pins;
}

}  // namespace

Result<void> Pins::pin(const Attachment& attachment, int group) const {
  if (auto mounted = mount_bpffs(directory_, group); !mounted) return mounted;
  const std::string path = directory_ + "/" + netns_prefix() + std::to_string(attachment.ifindex);
  unpin(attachment.ifindex);
  if (auto mounted = mount_bpffs(directory_, group); !mounted) return mounted;
  if (mkdir(path.c_str(), 0750) != 0)
    return Error{.action = "create " + path, .error_number = errno};
  if (auto allowed = allow(path, group < 0 ? 0700 : 0750, group); !allowed) return allowed;
  for (const std::string& name : Maps::public_names()) {
    const std::string file = path + "/" + Maps::pin_name(name);
    if (bpf_obj_pin(attachment.maps.fd(name), file.c_str()) != 0)
      return Error{.action = "pin " + file, .error_number = errno};
    if (auto allowed = allow(file, group < 0 ? 0400 : 0440, group); !allowed) return allowed;
  }
  return {};
}

void Pins::unpin(int ifindex) const {
  std::error_code ignored;
  fs::remove_all(directory_ + "/" + netns_prefix() + std::to_string(ifindex), ignored);
  if (is_bpffs(directory_) && !has_pins(directory_)) umount2(directory_.c_str(), UMOUNT_NOFOLLOW);
}

void Pins::sweep() const {
  for (const auto& [path, ifindex] : own_pins(directory_)) {
    auto found = find_attachment(ifindex, {});
    const bool is_gone = found ? !found->has_value() : found.error().error_number == ENODEV;
    if (is_gone) unpin(ifindex);
  }
}

Result<std::vector<Maps>> Pins::open_all() const {
  std::vector<Maps> all;
  std::error_code error;
  const fs::directory_iterator probe(directory_, error);
  if (error && error != std::errc::no_such_file_or_directory)
    return Error{.action = "read " + directory_,
                 .error_number = error.value(),
                 .hint = "run as root, or as a member of the group nids-xdp"};
  for (const auto& [path, ifindex] : own_pins(directory_)) {
    auto maps = Maps::pinned(path);
    if (!maps) return maps.error();
    all.push_back(std::move(*maps));
  }
  return all;
}

}  // namespace nids
