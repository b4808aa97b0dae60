// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <span>

#include "agent/privileges.hpp"
#include "cli/wall_clock.hpp"
#include "cli/when.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr const char* kNoDirectory =
    "packets are kept by sudo nids-xdp attach; --retain DIR or --config FILE names another place";
constexpr const char* kNoRight = "run it with sudo";

Error cannot_ask(const std::string& directory, int error, const std::string& hint) {
  return {.action = "look into the packets kept in " + directory,
          .error_number = error,
          .hint = error == EACCES || error == EPERM ? kNoRight : hint};
}

// Plain words where SQLite would say "unable to open database file".
Result<void> check_index(int directory_fd, const std::string& directory) {
  const std::string action = "look into the packets kept in " + directory;
  if (const std::string odd = odd_index_file(directory_fd); !odd.empty())
    return Error{
        .action = action, .reason = odd + " is no regular file", .hint = reindex_hint(directory)};
  const Fd fd{openat(directory_fd, kIndexFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  if (fd) return {};
  if (errno != ENOENT) return cannot_ask(directory, errno, "");
  return Error{.action = action, .reason = "there is no index", .hint = reindex_hint(directory)};
}

// 0: there is none.
std::uint64_t index_inode(int directory_fd) {
  struct stat status {};
  return fstatat(directory_fd, kIndexFile, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}

}  // namespace

std::optional<std::string> kept_directory(const std::optional<std::string>& retain,
                                          const std::optional<std::string>& file, Io& io) {
  if (retain) return retain;
  const auto config = effective_config(file, io);
  if (!config) return std::nullopt;
  return config->retain.directory.empty() ? io.paths.packets : config->retain.directory;
}

std::optional<KeptStore> open_kept_store(const std::optional<std::string>& retain,
                                         const std::optional<std::string>& config, Io& io) {
  const auto directory = kept_directory(retain, config, io);
  if (!directory) return std::nullopt;
  Fd fd{open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) {
    fail(cannot_ask(*directory, errno, errno == ENOENT ? kNoDirectory : ""), io);
    return std::nullopt;
  }
  const auto open_index = [&]() -> Result<Index> {
    if (auto become = become_owner(fd.get()); !become) return become.error();
    if (auto confined = confine_to(fd.get(), io); !confined) return confined.error();
    if (auto there = check_index(fd.get(), *directory); !there) return there.error();
    return Index::open(fd.get(), *directory, Index::Access::kRead);
  };
  auto index = open_index();
  if (!index) {
    fail(index.error(), io);
    return std::nullopt;
  }
  const std::uint64_t inode = index_inode(fd.get());
  return KeptStore{*directory, std::move(fd), std::move(*index), inode};
}

Result<void> confine_to(int directory_fd, const Io& io) {
  if (!io.confine) return {};
  return io.confine({.directories = std::span(&directory_fd, 1)});
}

Result<void> follow_index(KeptStore& store) {
  const std::uint64_t inode = index_inode(store.fd.get());
  if (inode == 0 || inode == store.index_inode) return {};
  if (auto there = check_index(store.fd.get(), store.directory); !there) return there;
  auto index = Index::open(store.fd.get(), store.directory, Index::Access::kRead);
  if (!index) return index.error();
  store.index = std::move(*index);
  store.index_inode = inode;
  return {};
}

Result<nids_sum> kept_of_flow(const Index& index, const KeptFlow& flow,
                              const std::function<void(const FlowSpan&)>& on_span) {
  nids_sum amount{};
  if (flow.id == 0) return amount;
  auto asked =
      index.spans({.community_id = flow.community_id, .flow_id = flow.id, .since = {}, .until = {}},
                  [&](const FlowSpan& span) {
                    amount.packets += span.offsets.size();
                    amount.bytes += span.bytes;
                    if (on_span) on_span(span);
                    return true;
                  });
  if (!asked) return asked.error();
  return amount;
}

Result<std::optional<IndexedAlert>> alert_by_id(const Index& index, std::uint64_t id) {
  std::optional<IndexedAlert> found;
  AlertQuery query;
  query.id = id;
  auto asked = index.alerts(query, [&](const IndexedAlert& alert) {
    found = alert;
    return false;
  });
  if (!asked) return asked.error();
  return found;
}

Error no_such_alert(std::uint64_t id) {
  return {.action = "find alert " + std::to_string(id),
          .reason = "the index has none of this number",
          .hint = "nids-xdp alerts lists those that it has"};
}

Result<Period> period_of(const std::optional<std::string>& since,
                         const std::optional<std::string>& until) {
  const WallTime now = wall_now();
  Period period;
  if (since) {
    auto time = parse_when(*since, now);
    if (!time) return time.error();
    period.since = *time;
  }
  if (until) {
    auto time = parse_when(*until, now);
    if (!time) return time.error();
    period.until = *time;
  }
  return period;
}

std::vector<std::string> names_of(const std::optional<std::string>& list) {
  std::vector<std::string> names;
  if (!list) return names;
  for (std::size_t start = 0; start <= list->size();) {
    const std::size_t end = std::min(list->find(',', start), list->size());
    if (end > start) names.push_back(list->substr(start, end - start));
    start = end + 1;
  }
  return names;
}

void fail_to_write_without_a_signal() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
}

}  // namespace nids
