// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <netinet/in.h>
#include <pcap/dlt.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>

#include <limits>
#include <ostream>

#include "agent/class_table.hpp"
#include "agent/privileges.hpp"
#include "agent/replay.hpp"
#include "cli/command.hpp"
#include "decode/packet.hpp"
#include "decode/printable.hpp"
#include "firstpass/first_pass.hpp"
#include "kernel/handle.hpp"
#include "log/eve_json.hpp"
#include "retain/pcapng_reader.hpp"
#include "source/capture_file.hpp"
#include "source/twin_frame.hpp"

namespace nids {
namespace {

const char* parse_name(std::uint8_t result) {
  switch (result) {
#define NIDS_NAME(name, key, meaning) \
  case NIDS_PARSE_##name:             \
    return key;
    NIDS_PARSE_RESULTS(NIDS_NAME)
#undef NIDS_NAME
  }
  return "";
}

const char* finding_name(std::uint32_t finding) {
  switch (finding) {
#define NIDS_NAME(name, key, meaning) \
  case NIDS_FINDING_##name:           \
    return key;
    NIDS_FINDINGS(NIDS_NAME)
#undef NIDS_NAME
  }
  return "";
}

const char* tunnel_name(std::uint8_t tunnel) {
  switch (tunnel) {
#define NIDS_NAME(name, key) \
  case NIDS_TUNNEL_##name:   \
    return key;
    NIDS_TUNNELS(NIDS_NAME)
#undef NIDS_NAME
  }
  return "";
}

const char* transport_name(const nids_packet& p) {
  if (p.transport == NIDS_TRANSPORT_FRAGMENT) return "fragment";
  switch (p.l4_proto) {
    case IPPROTO_TCP:
      return "TCP";
    case IPPROTO_UDP:
      return "UDP";
    case IPPROTO_ICMP:
      return "ICMP";
    case IPPROTO_ICMPV6:
      return "ICMPv6";
    case IPPROTO_SCTP:
      return "SCTP";
    case IPPROTO_IGMP:
      return "IGMP";
    default:
      return "IP";
  }
}

std::string tcp_flags(std::uint8_t flags) {
  constexpr std::string_view kLetters = "FSRPAUEC";
  std::string text;
  for (std::size_t bit = 0; bit < kLetters.size(); ++bit)
    if ((flags >> bit & 1) != 0) text += kLetters[bit];
  return text.empty() ? "none" : text;
}

std::string end_text(const std::uint8_t (&address)[16], std::uint16_t port, const nids_packet& p) {
  std::string text = address_text(address, p.ip_version);
  if ((p.flags & NIDS_PACKET_HAS_PORTS) == 0) return text;
  return (p.ip_version == 6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string headers_text(const nids_packet& p) {
  if (p.ip_version == 0)
    return p.network == NIDS_NETWORK_ARP ? "ARP" : fmt::format("ethertype 0x{:04x}", p.ether_type);
  std::string text = fmt::format("{} {} > {}", transport_name(p), end_text(p.src, p.src_port, p),
                                 end_text(p.dst, p.dst_port, p));
  if (p.l4_proto == IPPROTO_TCP && p.result == NIDS_PARSE_OK)
    text += " [" + tcp_flags(p.tcp_flags) + "]";
  if (p.transport == NIDS_TRANSPORT_OTHER) text += fmt::format(" proto {}", p.l4_proto);
  return text;
}

// Every packet of a class goes up, whatever its flow has had before.
std::vector<nids_class> without_depths(const Config& config) {
  auto classes = abi_classes(config);
  for (nids_class& one : classes) {
    one.depth_bytes = std::numeric_limits<std::uint32_t>::max();
    one.interest = NIDS_INTEREST_CAPTURE;
  }
  return classes;
}

// What stands beside each packet in a pcapng file that can be read twice; libpcap does not tell it.
class Comments {
 public:
  // None where the file is no plain pcapng of our byte order, or is no file.
  explicit Comments(const std::string& path) {
    struct stat status {};
    if (path == "-" || stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    fd_ = Fd{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (fd_) reader_.emplace(pcapng::read_from(fd_.get()));
  }

  // Of the packet of this number; asked in their order.
  std::string of(std::uint64_t number) {
    while (reader_ && (!packet_ || packet_->number < number)) {
      auto next = reader_->next();
      if (!next || !*next) {
        reader_.reset();
        return {};
      }
      packet_ = std::move(*next);
    }
    if (!reader_ || packet_->number != number) return {};
    std::string text;
    for (const std::string_view comment : packet_->comments)
      if (!comment.starts_with(kForMachines)) text += "  # " + printable(comment);
    return text;
  }

 private:
  static constexpr std::string_view kForMachines = "nids-xdp ";  // retain/comments.hpp

  Fd fd_;
  std::optional<pcapng::Reader> reader_;
  std::optional<pcapng::PacketBlock> packet_;
};

}  // namespace

Exit run_pcap_summary(const std::string& path, const std::optional<std::string>& config_file,
                      Io& io) {
  const auto config = effective_config(config_file, io);
  if (!config) return kFailed;
  Comments comments(path);  // opened before the right to may be gone, read after
  auto file = CaptureFile::open(path, [&]() -> Result<void> {
    if (auto dropped = drop_root(); !dropped || !io.confine) return dropped;
    return io.confine({});
  });
  if (!file) return fail(file.error(), io);

  std::uint8_t class_id = 0;
  FirstPass first_pass({}, without_depths(*config), *abi_ports(*config), [&](auto record) {
    nids_packet_event event;
    if (record.size() < sizeof(event)) return;
    std::memcpy(&event, record.data(), sizeof(event));
    if (event.event.kind == NIDS_RECORD_PACKET) class_id = event.class_id;
  });
  for (std::uint64_t number = 1;; ++number) {
    auto frame = file->next();
    if (!frame) {
      fail(frame.error(), io);
      return kDegraded;
    }
    if (!*frame || !io.out) return kOk;
    const nids_twin_frame twin = twin_frame(**frame, file->link_type());
    nids_packet packet;
    class_id = 0;
    nids_twin_parse(&twin, &packet, nullptr);
    first_pass.packet(twin);
    io.out << fmt::format("{:>6}  {}  {:>5}  {}", number, eve_timestamp((*frame)->time),
                          (*frame)->wire_len, headers_text(packet));
    if (packet.tunnel != NIDS_TUNNEL_NONE) io.out << "  in " << tunnel_name(packet.tunnel);
    if (packet.result != NIDS_PARSE_OK) io.out << "  " << parse_name(packet.result);
    for (std::uint32_t findings = nids_twin_findings(&packet), i = 0; i < NIDS_FINDING_COUNT; ++i)
      if ((findings >> i & 1) != 0) io.out << "  " << finding_name(i);
    if (class_id != 0) io.out << "  class " << config->classes[class_id - 1u].name;
    io.out << comments.of(number) << '\n';
  }
}

}  // namespace nids
