// SPDX-License-Identifier: Apache-2.0
#include "kernel/diagnostics.hpp"

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace nids {
namespace {

// The libraries take a bare function: no context, so these live for the process.
std::function<void(LibraryLevel, const std::string&)> g_log;
std::string g_kernel_message;

// The beginning and the end: at the end of its log the verifier says what it refuses.
std::string shortened(const std::string& text) {
  constexpr std::size_t kHead = 200, kTail = 2000;
  if (text.size() <= kHead + kTail) return text;
  return text.substr(0, kHead) + "\n[...]\n" + text.substr(text.size() - kTail);
}

int log_line(LibraryLevel level, const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length < 0) return length;
  std::string text(static_cast<std::size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, arguments);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::string_view kPrefix = "Kernel error message: ";
  if (const auto at = text.find(kPrefix); at != std::string::npos)
    g_kernel_message = text.substr(at + kPrefix.size());
  if (g_log && !text.empty()) g_log(level, shortened(text));
  return length;
}

int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  return log_line(level == LIBBPF_DEBUG ? LibraryLevel::kDebug : LibraryLevel::kInfo, format,
                  arguments);
}

int log_libxdp(libxdp_print_level level, const char* format, va_list arguments) {
  return log_line(level == LIBXDP_DEBUG ? LibraryLevel::kDebug : LibraryLevel::kInfo, format,
                  arguments);
}

}  // namespace

void set_library_log(std::function<void(LibraryLevel, const std::string&)> log) {
  g_log = std::move(log);
  libbpf_set_print(log_libbpf);
  libxdp_set_print(log_libxdp);
}

std::string take_kernel_message() { return std::exchange(g_kernel_message, {}); }

}  // namespace nids
