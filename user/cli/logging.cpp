// SPDX-License-Identifier: Apache-2.0
#include "cli/logging.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "kernel/diagnostics.hpp"
#include "nids/fd.hpp"

namespace nids {
namespace {

// A message that comes again within this time is counted, not printed.
constexpr auto kSameMessageEvery = std::chrono::seconds(5);

int priority_of(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return LOG_ERR;
  if (level == spdlog::level::warn) return LOG_WARNING;
  return level == spdlog::level::info ? LOG_INFO : LOG_DEBUG;
}

// What syslog(3) sends, which spdlog's own sink calls: it would wait for a journald that hangs.
class JournalSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::string text =
        fmt::format("<{}>nids-xdp[{}]: {}", LOG_DAEMON | priority_of(message.level), getpid(),
                    std::string_view(message.payload.data(), message.payload.size()));
    // Of a journald that was started again the socket is another one.
    for (int tries = 0; tries < 2 && !send_to_journal(text); ++tries) connect_anew();
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  // True where another connection would not help.
  bool send_to_journal(const std::string& text) const {
    return send(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
           errno == EAGAIN || errno == EMSGSIZE;
  }
  void connect_anew() {
    socket_ = Fd{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/dev/log");
    static_cast<void>(
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  }
  Fd socket_;
};

void log_to(std::shared_ptr<spdlog::sinks::sink> sink, spdlog::level::level_enum level) {
  auto filter = std::make_shared<spdlog::sinks::dup_filter_sink_st>(kSameMessageEvery);
  filter->add_sink(std::move(sink));
  auto logger = std::make_shared<spdlog::logger>("nids-xdp", std::move(filter));
  logger->set_level(level);
  logger->set_pattern("nids-xdp: %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

bool log_to_stderr(const std::string& level) {
  const auto value = spdlog::level::from_str(level);
  if (value == spdlog::level::off && level != "off") return false;
  log_to(std::make_shared<spdlog::sinks::stderr_sink_st>(), value);
  set_library_log([](LibraryLevel from, const std::string& text) {
    spdlog::log(from == LibraryLevel::kDebug ? spdlog::level::trace : spdlog::level::debug, "{}",
                text);
  });
  return true;
}

void log_to_stream(std::ostream& stream) {
  constexpr bool kFlush = true;
  log_to(std::make_shared<spdlog::sinks::ostream_sink_st>(stream, kFlush),
         spdlog::default_logger()->level());
}

void log_to_journal() {
  log_to(std::make_shared<JournalSink>(), spdlog::default_logger()->level());
}

}  // namespace nids
