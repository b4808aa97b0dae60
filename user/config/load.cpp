// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "config/config.hpp"
#include "config/wording.hpp"

namespace nids {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

class File {
 public:
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  explicit File(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

Error cannot_read(const std::string& path, int error_number, std::string reason = {}) {
  return Error{.action = "read the configuration " + visible(path, path.size()),
               .error_number = error_number,
               .reason = std::move(reason)};
}

// A byte more than the limit is room to see that there is more.
Result<std::string> read_up_to(int fd, std::size_t limit, const std::string& path) {
  std::string text(limit + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = ::read(fd, text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  text.resize(length);
  return text;
}

Result<std::string> read_file(const std::string& path) {
  if (path.find('\0') != path.npos) return cannot_read(path, 0, "the path holds a NUL byte");
  const File file(path);
  if (file.fd() < 0) return cannot_read(path, errno);
  struct stat about {};
  if (::fstat(file.fd(), &about) != 0) return cannot_read(path, errno);
  if (S_ISDIR(about.st_mode)) return cannot_read(path, EISDIR);
  if (!S_ISREG(about.st_mode)) return cannot_read(path, 0, "it is not a regular file");

  auto text = read_up_to(file.fd(), kMaxFileBytes, path);
  if (text && text->size() > kMaxFileBytes)
    return cannot_read(path, 0, "it is larger than " + size_text(kMaxFileBytes));
  return text;
}

}  // namespace

Result<ConfigOutcome> load_config(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return text.error();
  return parse_config(*text);
}

}  // namespace nids
