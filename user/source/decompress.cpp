// SPDX-License-Identifier: Apache-2.0
#include "source/decompress.hpp"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

namespace nids {
namespace {

constexpr std::size_t kInputBytes = 128 * 1024;
constexpr std::size_t kMagicBytes = 4;
constexpr int kGzipOnly = 15 + 16;  // inflateInit2(): largest window, and a gzip header

struct Step {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const char* failure = nullptr;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // `in` may be empty: there may be output that found no room before.
  virtual Step step(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  bool is_inside() const { return is_inside_; }  // where the input may not end
  virtual std::string name() const = 0;

 protected:
  bool is_inside_ = false;
};

class Plain final : public Codec {
 public:
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.begin(), n, out.begin());
    return {.consumed = n, .produced = n};
  }
  std::string name() const override { return "plain"; }
};

class Gzip final : public Codec {
 public:
  Gzip() { is_ready_ = inflateInit2(&stream_, kGzipOnly) == Z_OK; }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override {
    if (is_ready_) inflateEnd(&stream_);
  }

  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    if (!is_ready_) return {.failure = "out of memory"};
    constexpr std::size_t kMax = 1u << 30;  // zlib counts in 32 bits
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<uInt>(std::min(in.size(), kMax));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min(out.size(), kMax));
    const int status = inflate(&stream_, Z_NO_FLUSH);

    Step step;
    step.consumed =
        static_cast<std::size_t>(reinterpret_cast<std::byte*>(stream_.next_in) - in.data());
    step.produced =
        static_cast<std::size_t>(reinterpret_cast<std::byte*>(stream_.next_out) - out.data());
    if (status == Z_STREAM_END) {  // another member may follow, RFC 1952 section 2.2
      is_inside_ = false;
      inflateReset(&stream_);
    } else if (status == Z_OK) {
      is_inside_ = true;
    } else if (status != Z_BUF_ERROR || !in.empty()) {
      step.failure = stream_.msg != nullptr ? stream_.msg : zError(status);
    }
    return step;
  }
  std::string name() const override { return "gzip"; }

 private:
  z_stream stream_{};
  bool is_ready_ = false;
};

class Zstd final : public Codec {
 public:
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    if (!stream_) return {.failure = "out of memory"};
    ZSTD_inBuffer source{in.data(), in.size(), 0};
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    const std::size_t status = ZSTD_decompressStream(stream_.get(), &target, &source);
    if (ZSTD_isError(status)) return {.failure = ZSTD_getErrorName(status)};
    if (status == 0) {
      is_inside_ = false;
    } else if (source.pos > 0) {
      is_inside_ = true;
    }
    return {.consumed = source.pos, .produced = target.pos};
  }
  std::string name() const override { return "zstd"; }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

std::unique_ptr<Codec> codec_for(std::span<const std::byte> start) {
  std::uint8_t magic[kMagicBytes]{};
  std::memcpy(magic, start.data(), std::min(start.size(), sizeof magic));
  if (magic[0] == 0x1f && magic[1] == 0x8b) return std::make_unique<Gzip>();
  const bool is_frame =
      magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd;
  const bool is_skippable_frame =  // pzstd begins with one
      (magic[0] & 0xf0) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18;
  if (is_frame || is_skippable_frame) return std::make_unique<Zstd>();
  return std::make_unique<Plain>();
}

}  // namespace

struct Decompressor::State {
  explicit State(int descriptor) : fd(descriptor), input(kInputBytes) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::close(fd); }

  int fd;
  std::vector<std::byte> input;
  std::size_t begin = 0;  // of what is in `input` and was not consumed
  std::size_t end = 0;
  std::unique_ptr<Codec> codec;
  std::string failure;
  bool is_ended = false;

  std::span<const std::byte> pending() const {
    return std::span(input).subspan(begin, end - begin);
  }

  ssize_t fail(std::string why) {
    failure = std::move(why);
    errno = EIO;
    return -1;
  }

  // Adds to the input; false at its end or where it can't be read.
  bool refill() {
    if (begin == end) begin = end = 0;
    // Only a handler of ours interrupts it, and that wants an end.
    const ssize_t n = ::read(fd, input.data() + end, input.size() - end);
    if (n < 0) fail(std::strerror(errno));
    if (n > 0) end += static_cast<std::size_t>(n);
    return n > 0;
  }

  ssize_t read(std::span<std::byte> out) {
    if (!codec) {
      while (pending().size() < kMagicBytes && refill()) {
      }
      codec = codec_for(pending());
    }
    for (;;) {
      if (!failure.empty()) return fail(failure);
      if (is_ended || out.empty()) return 0;
      const Step step = codec->step(pending(), out);
      begin += step.consumed;
      if (step.failure != nullptr) failure = codec->name() + ": " + step.failure;
      if (step.produced > 0) return static_cast<ssize_t>(step.produced);
      if (begin == end && failure.empty() && !refill() && failure.empty()) {
        is_ended = true;
        if (codec->is_inside()) failure = "the " + codec->name() + " data end early";
      }
    }
  }
};

Decompressor::Decompressor(int fd) : state_(std::make_unique<State>(fd)) {}
Decompressor::~Decompressor() = default;

ssize_t Decompressor::read(std::span<std::byte> out) noexcept { return state_->read(out); }

const std::string& Decompressor::failure() const { return state_->failure; }

}  // namespace nids
