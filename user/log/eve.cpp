// SPDX-License-Identifier: Apache-2.0
#include "log/eve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "decode/printable.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPathMaxBytes = 4096;  // a shortened path would name no file

Json metadata(const Alert& alert) {
  Json object = Json::object();
  if (!alert.class_name.empty()) object["class"] = {printable(alert.class_name)};
  if (alert.has_unknown_direction) object["direction"] = {"unknown"};
  if (const std::string text = tunnel_text(alert.tunnel); !text.empty()) object["tunnel"] = {text};
  if (!alert.technique.empty()) object["mitre_technique_id"] = {printable(alert.technique)};
  return object;
}

// `context` is last: EveAlert::line() adds to it.
Json alert_object(const Alert& alert) {
  Json object{{"action", "allowed"},
              {"gid", alert.signature_id.gid},
              {"signature_id", alert.signature_id.sid},
              {"rev", alert.signature_id.rev},
              {"signature", printable(alert.signature)},
              {"category", printable(alert.category)},
              {"severity", alert.severity}};
  if (Json extras = metadata(alert); !extras.empty()) object["metadata"] = std::move(extras);
  object["context"] = {{"observed", printable(alert.observed)},
                       {"expected", printable(alert.expected)},
                       {"threshold", printable(alert.threshold)}};
  return object;
}

// An object's text without its last braces, so that members can be added.
std::string open_text(const Json& object, std::size_t braces) {
  std::string text = json_text(object);
  text.resize(text.size() - braces);
  return text;
}

}  // namespace

EveAlert::EveAlert(const Alert& alert) : alert_(open_text(alert_object(alert), 2)) {
  Json line{{"timestamp", eve_timestamp(alert.time)}};
  if (alert.flow_id != 0) line["flow_id"] = alert.flow_id;
  if (!alert.interface.empty()) line["in_iface"] = printable(alert.interface);
  line["event_type"] = "alert";
  add_vlan(line, alert.ends);
  add_ends(line, alert.ends, alert.kind != AlertKind::kHost);
  add_tunnel(line, alert.tunnel);
  if (!alert.community_id.empty()) line["community_id"] = printable(alert.community_id);
  line["direction"] = alert.to_server ? "to_server" : "to_client";
  start_ = open_text(line, 1);
}

std::string EveAlert::line(const std::optional<Evidence>& evidence) const {
  std::string file, packet;
  if (evidence && !evidence->file.empty()) {
    file = ",\"capture_file\":" + json_text(printable(evidence->file, kPathMaxBytes));
    packet = ",\"capture_packet\":" + std::to_string(evidence->packet_number);
  }
  return start_ + file + ",\"alert\":" + alert_ + file + packet + "}}}\n";
}

EveLog::EveLog(EveLog&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      is_degraded_(other.is_degraded_),
      is_torn_(other.is_torn_) {}

EveLog::~EveLog() {
  if (fd_ >= 0) close(fd_);
}

void EveLog::write(std::string_view line, nids_agent_counters& counters) {
  std::string separated;
  if (is_torn_) line = separated.append("\n").append(line);

  std::size_t written = write_once(line);
  if (written > 0 && written < line.size()) written += write_once(line.substr(written));

  is_degraded_ = written < line.size();
  if (!is_degraded_) {
    is_torn_ = false;
    __atomic_fetch_add(&counters.eve_lines, 1, __ATOMIC_RELAXED);
    return;
  }
  __atomic_fetch_add(&counters.eve_lost, 1, __ATOMIC_RELAXED);
  if (written > 0) is_torn_ = !take_back(written);
}

void EveLog::wait_for_reader() const {
  struct stat status {};
  if (fstat(fd_, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) return;
  const int flags = fcntl(fd_, F_GETFL);
  if (flags >= 0) fcntl(fd_, F_SETFL, flags & ~O_NONBLOCK);
}

void EveLog::replace(int fd) {
  if (fd_ >= 0)
    close(fd_);
  else
    is_degraded_ = false;  // lines were lost because there was no file
  fd_ = fd;
  is_torn_ = false;
}

std::uint64_t EveLog::end_bytes() const {
  const off_t end = lseek(fd_, 0, SEEK_CUR);
  return end < 0 ? 0 : static_cast<std::uint64_t>(end);
}

std::size_t EveLog::write_once(std::string_view bytes) {
  ssize_t written = 0;
  do written = ::write(fd_, bytes.data(), bytes.size());
  while (written < 0 && errno == EINTR);
  return written < 0 ? 0 : static_cast<std::size_t>(written);
}

bool EveLog::take_back(std::size_t bytes) {
  struct stat file {};
  const off_t end = lseek(fd_, 0, SEEK_CUR);
  if (end < 0 || fstat(fd_, &file) != 0 || !S_ISREG(file.st_mode)) return false;
  // Where another process has written since, its lines must stay.
  if (end != file.st_size) return false;
  const off_t start = end - static_cast<off_t>(bytes);
  // A redirected stdout may lack O_APPEND: without the seek the next line would leave a hole.
  return ftruncate(fd_, start) == 0 && lseek(fd_, start, SEEK_SET) == start;
}

}  // namespace nids
