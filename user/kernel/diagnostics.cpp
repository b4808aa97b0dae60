// SPDX-License-Identifier: Apache-2.0
#include "kernel/diagnostics.hpp"

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include <cstdio>
#include <utility>

namespace nids {
namespace {

// The libraries take a bare function: no context, so these live for the process.
std::function<void(LibraryLevel, const std::string&)> g_log;
std::string g_kernel_message;

int log_line(LibraryLevel level, const char* format, va_list arguments) {
  char line[1024];
  const int length = std::vsnprintf(line, sizeof(line), format, arguments);
  std::string text(line);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::string_view kPrefix = "Kernel error message: ";
  if (const auto at = text.find(kPrefix); at != std::string::npos)
    g_kernel_message = text.substr(at + kPrefix.size());
  if (g_log && !text.empty()) g_log(level, text);
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
