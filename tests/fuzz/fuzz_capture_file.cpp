// SPDX-License-Identifier: Apache-2.0
// Any bytes as a capture file: every frame is read and its link header with it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "source/capture_file.hpp"
#include "source/link_layer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int fd = ::memfd_create("capture", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (::ftruncate(fd, 0) != 0) std::abort();
  if (::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();

  auto file = nids::CaptureFile::open(path);
  if (!file) return 0;
  for (;;) {
    const auto frame = file->next();
    if (!frame || !*frame) return 0;
    const auto& bytes = (*frame)->bytes;
    if ((*frame)->wire_len < bytes.size()) std::abort();
    if (!bytes.empty()) {  // so that the sanitizer sees a span that is too long
      const volatile std::byte last = bytes.back();
      (void)last;
    }
    const auto layer = nids::link_layer(file->link_type(), bytes);
    if (layer && layer->offset > bytes.size()) std::abort();
  }
}
