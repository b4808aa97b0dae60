// SPDX-License-Identifier: Apache-2.0
#include "source/capture_file.hpp"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <string_view>
#include <utility>

#include "decode/printable.hpp"
#include "source/decompress.hpp"
#include "source/link_layer.hpp"
#include "source/snap_lengths.hpp"

namespace nids {
namespace {

constexpr std::size_t kFileBuffer = 128 * 1024;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct ClosePcap {
  void operator()(pcap_t* capture) const noexcept { pcap_close(capture); }
};
struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

// What libpcap reads from.
struct Input {
  explicit Input(int fd) : file(fd) {}
  Decompressor file;
  SnapLengths snap_lengths;
};

ssize_t read_cookie(void* cookie, char* out, std::size_t size) noexcept {
  auto& input = *static_cast<Input*>(cookie);
  const ssize_t got = input.file.read(std::as_writable_bytes(std::span(out, size)));
  if (got > 0)
    input.snap_lengths.edit(std::as_writable_bytes(std::span(out, static_cast<std::size_t>(got))));
  return got;
}

std::string file_text(const std::string& path) {
  return path == "-" ? "capture from standard input" : "capture file " + printable(path);
}

Result<int> open_input(const std::string& path, const std::string& action) {
  const int fd = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  const std::string hint = "name a capture file, or - for standard input";
  if (fd < 0) return Error{.action = action, .error_number = errno, .hint = hint};
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(fd);
    return Error{.action = action, .error_number = EISDIR, .hint = hint};
  }
  return fd;
}

std::string link_type_text(int dlt) {
  const char* name = pcap_datalink_val_to_name(dlt);
  const std::string number = std::to_string(dlt);
  return name != nullptr ? std::string(name) + " (" + number + ")" : number;
}

// Files hold seconds as 32 bits without sign, but libpcap reads them with one; a fraction of a
// second or more is damage.
WallTime wall_time(const timeval& time) {
  constexpr std::int64_t kMaxSeconds =
      static_cast<std::int64_t>(std::numeric_limits<std::uint64_t>::max() / kNsPerSecond) - 1;
  std::int64_t seconds = time.tv_sec;
  if (seconds < 0 && seconds >= std::numeric_limits<std::int32_t>::min()) {
    seconds = static_cast<std::uint32_t>(seconds);
  }
  seconds = std::clamp<std::int64_t>(seconds, 0, kMaxSeconds);
  const std::int64_t ns = std::clamp<std::int64_t>(time.tv_usec, 0, kNsPerSecond - 1);
  return {static_cast<std::uint64_t>(seconds) * kNsPerSecond + static_cast<std::uint64_t>(ns)};
}

}  // namespace

struct CaptureFile::State {
  State(std::string file, int fd) : name(std::move(file)), input(fd) {}

  std::string name;
  Input input;  // outlives the capture, which reads from it
  std::unique_ptr<pcap_t, ClosePcap> capture;
  std::uint64_t frames = 0;
  std::optional<Error> damage;

  Result<void> open_capture();
  Result<Frame> frame(const pcap_pkthdr& header, const u_char* data);
  Error damaged(const std::string& why) const;
};

Result<void> CaptureFile::State::open_capture() {
  const std::string action = "read " + name;
  const std::string hint = "pcap and pcapng are read, plain or compressed by gzip or zstd";
  std::unique_ptr<std::FILE, CloseFile> file(
      ::fopencookie(&input, "r", {.read = read_cookie, .write = {}, .seek = {}, .close = {}}));
  if (!file) return Error{.action = action, .error_number = errno};
  std::setvbuf(file.get(), nullptr, _IOFBF, kFileBuffer);

  // A small file is read, and may have failed, to its end here: what came before that counts.
  const int first = std::getc(file.get());
  if (first == EOF && !input.file.failure().empty())
    return Error{.action = action, .reason = input.file.failure()};
  if (first == EOF) return Error{.action = action, .reason = "it is empty", .hint = hint};
  std::ungetc(first, file.get());

  char why[PCAP_ERRBUF_SIZE] = "";
  capture.reset(
      pcap_fopen_offline_with_tstamp_precision(file.get(), PCAP_TSTAMP_PRECISION_NANO, why));
  if (!capture) {
    const bool is_input = !input.file.failure().empty();
    return Error{
        .action = action, .reason = is_input ? input.file.failure() : printable(why), .hint = hint};
  }
  (void)file.release();  // pcap_close() closes it

  const int dlt = pcap_datalink(capture.get());
  if (!link_type_taken(dlt)) {
    return Error{.action = action,
                 .reason = "link type " + link_type_text(dlt) + " is not taken",
                 .hint = "Ethernet, RAW, IPv4, IPv6, NULL, LOOP, SLL, SLL2 and PPP are"};
  }
  return {};
}

Result<Frame> CaptureFile::State::frame(const pcap_pkthdr& header, const u_char* data) {
  std::uint32_t captured = header.caplen, original = header.len;
  if (const auto simple = input.snap_lengths.simple_packet(frames + 1)) {
    if (simple->is_longer_than_block) return damaged("the packet is longer than its block");
    captured = std::min(captured, simple->captured_len);
    original = simple->original_len;
  }
  ++frames;
  return Frame{.time = wall_time(header.ts),
               .wire_len = std::max(original, captured),
               .bytes = std::as_bytes(std::span(data, captured))};
}

Error CaptureFile::State::damaged(const std::string& why) const {
  const std::string& failure = input.file.failure();
  return Error{.action = "read packet " + std::to_string(frames + 1) + " of " + name,
               .reason = failure.empty() ? why : failure};
}

CaptureFile::CaptureFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
CaptureFile::CaptureFile(CaptureFile&&) noexcept = default;
CaptureFile::~CaptureFile() = default;

Result<CaptureFile> CaptureFile::open(const std::string& path,
                                      const std::function<Result<void>()>& before_reading) {
  std::string name = file_text(path);
  const auto fd = open_input(path, "read " + name);
  if (!fd) return fd.error();
  auto state = std::make_unique<State>(std::move(name), *fd);
  if (before_reading)
    if (const auto ready = before_reading(); !ready) return ready.error();
  if (const auto opened = state->open_capture(); !opened) return opened.error();
  return CaptureFile(std::move(state));
}

pcap* CaptureFile::libpcap() const { return state_->capture.get(); }

int CaptureFile::link_type() const { return pcap_datalink(state_->capture.get()); }

Result<std::optional<Frame>> CaptureFile::next() {
  State& file = *state_;
  if (file.damage) return *file.damage;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  const int status = pcap_next_ex(file.capture.get(), &header, &data);
  if (status == PCAP_ERROR_BREAK) return std::optional<Frame>();
  if (status != 1) {
    file.damage = file.damaged(printable(pcap_geterr(file.capture.get())));
    return *file.damage;
  }
  const auto frame = file.frame(*header, data);
  if (!frame) {
    file.damage = frame.error();
    return *file.damage;
  }
  return std::optional(*frame);
}

}  // namespace nids
