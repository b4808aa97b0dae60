// SPDX-License-Identifier: Apache-2.0
#include "retain/segment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

namespace nids {
namespace {

constexpr std::string_view kSuffix = ".pcapng";
constexpr std::size_t kMaxDigits = 15;  // of a sequence
constexpr std::size_t kTimeLen = 15;    // 20261122T100000

struct CloseDir {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The loop covers short writes: a full disk takes what fits before it refuses.
std::size_t write_all(int fd, std::span<const std::byte> data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::write(fd, data.data() + done, data.size() - done);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace

SegmentName SegmentName::of(WallTime first_packet, std::uint64_t sequence, std::uint8_t severity) {
  using namespace std::chrono;
  const sys_seconds time{seconds{static_cast<std::int64_t>(first_packet.ns / 1'000'000'000u)}};
  const year_month_day date{floor<days>(time)};
  const hh_mm_ss clock{time - floor<days>(time)};
  char text[32];
  std::snprintf(text, sizeof text, "%04d%02u%02uT%02d%02d%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return {text, sequence, severity};
}

std::optional<SegmentName> SegmentName::parse(std::string_view file) {
  const std::string_view whole = file;
  if (!file.ends_with(kSuffix)) return std::nullopt;
  file.remove_suffix(kSuffix.size());
  SegmentName name;
  if (const std::size_t at = file.rfind("-s"); at != file.npos) {
    if (at + 3 != file.size() || file.back() < '1' || file.back() > '3') return std::nullopt;
    name.severity = static_cast<std::uint8_t>(file.back() - '0');
    file.remove_suffix(3);
  }
  if (file.size() < kTimeLen + 7 || file[8] != 'T' || file[kTimeLen] != '-') return std::nullopt;
  const std::string_view time = file.substr(0, kTimeLen);
  const std::string_view digits = file.substr(kTimeLen + 1);
  const bool is_name = is_digits(time.substr(0, 8)) && is_digits(time.substr(9)) &&
                       digits.size() <= kMaxDigits && is_digits(digits);
  if (!is_name) return std::nullopt;
  name.time = time;
  std::from_chars(digits.data(), digits.data() + digits.size(), name.sequence);
  // One file, one name: what would be written otherwise is not ours.
  return name.file() == whole ? std::optional(name) : std::nullopt;
}

std::string SegmentName::file() const {
  const std::string digits = std::to_string(sequence);
  return time + "-" + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits +
         (severity == 0 ? "" : "-s" + std::to_string(severity)) + std::string(kSuffix);
}

WallTime SegmentName::begun() const {
  using namespace std::chrono;
  const auto number = [&](std::size_t at, std::size_t digits) {
    unsigned value = 0;
    if (time.size() == kTimeLen) std::from_chars(&time[at], &time[at] + digits, value);
    return value;
  };
  const year_month_day date{year(static_cast<int>(number(0, 4))), month(number(4, 2)),
                            day(number(6, 2))};
  if (!date.ok()) return {};
  const auto since = sys_days(date).time_since_epoch() + hours(number(9, 2)) +
                     minutes(number(11, 2)) + seconds(number(13, 2));
  const auto ns = nanoseconds(since).count();
  return {ns > 0 ? static_cast<std::uint64_t>(ns) : 0};
}

Result<std::map<SegmentName, std::uint64_t>> list_segments(int directory_fd,
                                                           const std::string& path) {
  const auto failed = [&] {
    return Error{.action = "list the packet store " + path, .error_number = errno};
  };
  const int fd = ::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return failed();
  const std::unique_ptr<DIR, CloseDir> directory(::fdopendir(fd));
  if (!directory) {
    const Error error = failed();
    ::close(fd);
    return error;
  }
  ::rewinddir(directory.get());  // the duplicate shares its offset with the caller's

  std::map<SegmentName, std::uint64_t> segments;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const auto name = SegmentName::parse(entry->d_name);
    struct stat status {};
    if (name && ::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode)) {
      segments[*name] = static_cast<std::uint64_t>(status.st_size);
    }
  }
  if (errno != 0) return failed();
  return segments;
}

SegmentFile::SegmentFile(int directory_fd, const SegmentName& name)
    : directory_fd_(directory_fd), name_(name.file()) {}

SegmentFile::~SegmentFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool SegmentFile::append(std::span<const std::byte> blocks) {
  if (fd_ < 0)
    fd_ = ::openat(directory_fd_, name_.c_str(),
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd_ < 0) {
    error_ = errno;
    return false;
  }
  const std::size_t done = write_all(fd_, blocks);
  if (done == blocks.size()) {
    size_ += done;
    return true;
  }
  error_ = errno;
  // Where not even that is possible, readers stop at the last whole block.
  if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) size_ += done;
  return false;
}

bool SegmentFile::sync() { return ::fdatasync(fd_) == 0; }

}  // namespace nids
