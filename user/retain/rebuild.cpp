// SPDX-License-Identifier: Apache-2.0
#include "retain/rebuild.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "retain/index_file.hpp"

namespace nids {
namespace {

constexpr const char* kNew = "index.sqlite.new";

void remove_beside(int directory_fd, const std::string& file) {
  for (const char* beside : kBesideIndex) ::unlinkat(directory_fd, (file + beside).c_str(), 0);
}

void remove_new(int directory_fd) {
  ::unlinkat(directory_fd, kNew, 0);
  remove_beside(directory_fd, kNew);
}

bool is_there(int directory_fd, const char* file) {
  struct stat status {};
  return ::fstatat(directory_fd, file, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// What no segment tells.
Result<void> take_alerts(const Index& from, Index& to, Repaired& repaired) {
  Result<void> result;
  auto asked = from.alerts({}, [&](const IndexedAlert& one) {
    bool is_known = one.alert.id == 0 || one.alert.id > kMaxAlert;
    AlertQuery same;
    same.id = one.alert.id;
    auto found = to.alerts(same, [&](const IndexedAlert&) {
      is_known = true;
      return false;
    });
    if (!found) result = found.error();
    if (!result || is_known) return static_cast<bool>(result);
    result = to.add({one.alert, std::nullopt});
    repaired.alerts += static_cast<bool>(result);
    return static_cast<bool>(result);
  });
  if (!asked) repaired.damaged.push_back(kIndexFile);  // as much of it as can be read
  return result;
}

Result<void> finish(Index& index) {
  if (auto committed = index.commit(); !committed) return committed;
  return index.gather();
}

// The new file, whole; or as far as it came, where it is ended before.
Result<void> make_new(int directory_fd, const std::string& path, Repaired& repaired,
                      const GoesOn& goes_on) {
  auto index = Index::open(directory_fd, path, IndexAccess::kWrite, kNew);
  if (!index) return index.error();
  auto done = repair(directory_fd, path, *index, goes_on);
  if (!done) return done.error();
  repaired = std::move(*done);
  if (!repaired.is_whole) return {};
  if (!is_there(directory_fd, kIndexFile)) return finish(*index);
  auto old = Index::open(directory_fd, path, IndexAccess::kRead);
  // One of the version before is brought up to date by a writer.
  if (!old) old = Index::open(directory_fd, path, IndexAccess::kWrite);
  if (old)
    if (auto taken = take_alerts(*old, *index, repaired); !taken) return taken;
  return finish(*index);
}

Result<void> make_anew(int directory_fd, const std::string& path, Repaired& repaired,
                       const GoesOn& goes_on) {
  const bool was_there = is_there(directory_fd, kIndexFile);
  auto made = make_new(directory_fd, path, repaired, goes_on);
  if (!made) {  // what is left there of another try may be anything
    remove_new(directory_fd);
    made = make_new(directory_fd, path, repaired, goes_on);
  }
  if (!made) return made;
  if (!repaired.is_whole) return {};
  remove_beside(directory_fd, kNew);
  if (auto aside = put_index_aside(directory_fd); !aside) return aside;
  if (::renameat(directory_fd, kNew, directory_fd, kIndexFile) != 0)
    return Error{.action = "put the new index of " + path + " in its place", .error_number = errno};
  repaired.is_anew = was_there;
  return {};
}

}  // namespace

Result<Repaired> rebuild_index(int directory_fd, const std::string& path) {
  Repaired repaired;
  remove_new(directory_fd);
  auto made = make_anew(directory_fd, path, repaired, {});
  if (made) return repaired;
  remove_new(directory_fd);
  return made.error();
}

Result<Index> open_repaired(int directory_fd, const std::string& path, Repaired& repaired,
                            const GoesOn& goes_on) {
  const auto open = [&] { return Index::open(directory_fd, path, IndexAccess::kWrite); };
  std::optional<Error> why;
  if (is_there(directory_fd, kIndexFile)) {
    auto index = open();
    if (!index) why = index.error();
    if (index) {
      auto done = repair(directory_fd, path, *index, goes_on);
      if (done) {
        repaired = std::move(*done);
        return index;
      }
      why = done.error();
    }
    if (!is_index_unusable(directory_fd)) return *why;
  }
  if (auto made = make_anew(directory_fd, path, repaired, goes_on); !made) return made.error();
  if (!repaired.is_whole) return Index::open(directory_fd, path, IndexAccess::kWrite, kNew);
  return open();
}

}  // namespace nids
