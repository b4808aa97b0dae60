// SPDX-License-Identifier: Apache-2.0
#include "cli/logging.hpp"

#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include "kernel/diagnostics.hpp"

namespace nids {
namespace {

// A message that comes again within this time is counted, not printed.
constexpr auto kSameMessageEvery = std::chrono::seconds(5);

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
  log_to(std::make_shared<spdlog::sinks::syslog_sink_st>("nids-xdp", LOG_PID, LOG_DAEMON, false),
         spdlog::default_logger()->level());
}

}  // namespace nids
