// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of tests/fuzz/corpus: a few small inputs for each fuzzer, in the form that it
// reads, made of this house's own packets. Run it again where a form or a layout has changed.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/filter_expression.hpp"
#include "config/config.hpp"
#include "firstpass/first_pass.hpp"
#include "log/flow_json.hpp"
#include "retain/pcapng.hpp"
#include "support/class_tables.hpp"
#include "support/sample_flow.hpp"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

std::filesystem::path root;

void write(const std::string& fuzzer, const std::string& name, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(root / fuzzer);
  std::ofstream file(root / fuzzer / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) std::cerr << "cannot write " << name << '\n';
}

class Little {
 public:
  Little& u8(std::uint32_t value) { return bytes_.push_back(std::byte(value & 0xff)), *this; }
  Little& u16(std::uint32_t value) { return u8(value).u8(value >> 8); }
  Little& u32(std::uint32_t value) { return u16(value).u16(value >> 16); }
  Little& append(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  Little& padded() {
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

// As fuzz_parse.cpp reads it.
class Row {
 public:
  explicit Row(std::uint8_t features = NIDS_FEATURES_ALL) { out_.u8(features); }
  Row& frame(const Bytes& frame, std::uint8_t time = 0, std::uint8_t command = 0) {
    out_.u8(0).u8(0).u16(static_cast<std::uint32_t>(frame.size())).u8(time).u8(command);
    out_.append(frame);
    return *this;
  }
  Row& raw_ipv4(const Bytes& datagram) {
    out_.u8(1).u8(0).u16(static_cast<std::uint32_t>(datagram.size())).u8(0).u8(0);
    out_.append(datagram);
    return *this;
  }
  const Bytes& bytes() const { return out_.bytes(); }

 private:
  Little out_;
};

void seed_parse() {
  // A file for each handful, below libFuzzer's default of 4096 bytes.
  const auto handfuls = [](const std::string& name, const auto& packets) {
    constexpr std::size_t kMost = 2000;
    Row row;
    int part = 0;
    for (const auto& packet : packets) {
      if (packet.frame.size() > kMost) continue;
      if (row.bytes().size() + packet.frame.size() > kMost) {
        write("fuzz_parse", name + std::to_string(part++), row.bytes());
        row = Row();
      }
      row.frame(packet.frame);
    }
    write("fuzz_parse", name + std::to_string(part), row.bytes());
  };
  handfuls("honest", honest_packets());
  handfuls("lying", lying_packets());

  const auto tcp = [](bool there, std::uint8_t flags, std::size_t payload) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = there ? "10.0.0.1" : "10.0.0.2", .dst = there ? "10.0.0.2" : "10.0.0.1"})
        .tcp({.src_port = there ? std::uint16_t{40'001} : std::uint16_t{22},
              .dst_port = there ? std::uint16_t{22} : std::uint16_t{40'001},
              .flags = flags})
        .payload_bytes(payload)
        .bytes();
  };
  Row session;
  session.frame(tcp(true, kTcpSyn, 0)).frame(tcp(false, kTcpSyn | kTcpAck, 0));
  for (std::uint8_t interest = 0; interest < NIDS_INTEREST_KINDS; ++interest)
    session.frame(tcp(true, kTcpAck, 80), 1, 0x80 | interest).frame(tcp(false, kTcpAck, 20));
  session.frame(tcp(true, kTcpAck | kTcpFin, 0)).frame(tcp(true, kTcpSyn, 0), 255);
  write("fuzz_parse", "session", session.bytes());
  write("fuzz_parse", "without_ethernet",
        Row(0).raw_ipv4(PacketBuilder{}.ipv4().udp().payload("x").bytes()).bytes());
}

void seed_decode() {
  const ClassTables tables{{.name = "ssh", .tcp = {22}}};
  std::string name;
  FirstPass pass({.slots = NIDS_WAYS, .slots_ipv6 = NIDS_WAYS}, tables.classes, *tables.ports,
                 [&name](auto record) { write("fuzz_decode", name, record); });
  const auto send = [&](const std::string& as, const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    const auto length = static_cast<std::uint32_t>(frame.size());
    name = as;
    pass.packet({.bytes = frame.data(),
                 .captured_len = length,
                 .wire_len = length,
                 .time_ns = 1'000'000'000,
                 .l3_offset = 0,
                 .ether_type = 0,
                 .is_ethernet = 1});
  };
  send("packet", PacketBuilder{}.eth().vlan(7).ipv4().tcp({.dst_port = 22}).payload("SSH-2.0-x"));
  send("finding_in_a_tunnel", in_vxlan().eth().ipv4().tcp({.flags = 0}));
  send("syn_with_detail", PacketBuilder{}.eth().ipv6().tcp(
                              {.dst_port = 22, .flags = kTcpSyn, .options = {2, 4, 5, 180}}));
  send("without_a_flow", PacketBuilder{}.eth().ipv4({.version = 5}).udp());
  for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port)
    send("flow_export", PacketBuilder{}.eth().ipv4().udp({.src_port = port, .dst_port = 9}));
}

void seed_config() {
  const auto text = [](const std::string& name, const std::string& toml) {
    write("fuzz_config", name, std::as_bytes(std::span(toml)));
  };
  Config config = default_config();
  config.classes.resize(2);  // a short one
  text("written", dump_config(config));
  text("all_kinds",
       "[flow]\nunclassified = \"identify\"\nslots_per_cpu = 64\n[ring]\nsize = '1MiB'\n"
       "[findings]\nenabled = false\n[alert]\nsuppress = '5m'\n"
       "[classes.mine]\nports = ['tcp/1-20', 'udp/7']\ninterest = 'bypass'\ndepth = '1KiB'\n");
  text("wrong", "[flow]\nslots_per_cpu = '64'\n[classes.ssh]\nports = ['tcp/0']\n[nothing]\n");
}

void seed_capture_file() {
  const Bytes frame = PacketBuilder{}.eth().ipv4().udp().payload("x").bytes();
  const auto length = static_cast<std::uint32_t>(frame.size());
  Little pcap;
  pcap.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65'535).u32(1);
  pcap.u32(1).u32(2).u32(length).u32(length).append(frame);
  pcap.u32(3).u32(4).u32(20).u32(length).append(std::span(frame).first(20));
  write("fuzz_capture_file", "pcap", pcap.bytes());

  Little pcapng;
  pcapng.u32(0x0a0d0d0a).u32(28).u32(0x1a2b3c4d).u16(1).u16(0).u32(~0u).u32(~0u).u32(28);
  pcapng.u32(1).u32(20).u16(1).u16(0).u32(65'535).u32(20);
  const std::uint32_t block = 32 + (length + 3) / 4 * 4;
  pcapng.u32(6).u32(block).u32(0).u32(0).u32(1).u32(length).u32(length).append(frame).padded();
  pcapng.u32(block);
  write("fuzz_capture_file", "pcapng", pcapng.bytes());

  const Bytes datagram = PacketBuilder{}.ipv4().icmp().bytes();
  const auto cooked_len = static_cast<std::uint32_t>(16 + datagram.size());
  Little cooked;  // LINKTYPE_LINUX_SLL, whose EtherType is in network order
  cooked.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65'535).u32(113);
  cooked.u32(1).u32(2).u32(cooked_len).u32(cooked_len).u32(0).u32(0).u32(0).u16(0).u16(0x0008);
  cooked.append(datagram);
  write("fuzz_capture_file", "cooked", cooked.bytes());
}

void seed_pcapng() {
  const Bytes frame = PacketBuilder{}.eth().ipv4().udp().payload("x").bytes();
  Bytes ours;
  pcapng::append_section_header(ours, "nids-xdp");
  pcapng::append_interface(ours, {.name = "eth0", .description = "uplink", .filter = "tcp"});
  pcapng::append_packet(ours, {.time = {1'795'341'600'123'456'789},
                               .data = frame,
                               .outbound = true,
                               .comments = {"ssh", "a second one"}});
  pcapng::append_statistics(ours, {.interface = 0, .received = 9, .kept = 1, .dropped = 2});
  write("fuzz_pcapng", "ours", ours);

  // A second section, time stamps of 2^-10 seconds with an offset, a simple and an obsolete packet.
  Little foreign;
  const auto section = [&] {
    foreign.u32(0x0a0d0d0a).u32(28).u32(0x1a2b3c4d).u16(1).u16(0).u32(~0u).u32(~0u).u32(28);
  };
  section();
  foreign.u32(1).u32(20).u16(1).u16(0).u32(65'535).u32(20);
  section();
  foreign.u32(1).u32(44).u16(101).u16(0).u32(0);
  foreign.u16(9).u16(1).u32(0x8a).u16(14).u16(8).u32(5).u32(0).u16(0).u16(0).u32(44);
  foreign.u32(3).u32(20).u32(4).u32(0x45).u32(20);
  foreign.u32(2).u32(36).u16(0).u16(7).u32(0).u32(1024).u32(4).u32(60).u32(0x45).u32(36);
  foreign.u32(0xbad).u32(16).u32(~0u).u32(16);
  write("fuzz_pcapng", "sections", foreign.bytes());
}

void seed_flows() {
  const auto text = [](const char* fuzzer, const std::string& name, const std::string& content) {
    write(fuzzer, name, std::as_bytes(std::span(content)));
  };
  const Services services = Services::parse("ssh 22/tcp\n");
  int number = 0;
  for (const char* expression : {"port ssh", "vlan 5 and host 2001:db8::1",
                                 "not (udp or icmp) and net 10", "tcp[0:2] > 1024"})
    text("fuzz_flow_filter", "filter" + std::to_string(number++),
         compile_flow_filter(expression, services)->text());
  text("fuzz_flow_filter", "scratch", "3,2 0 0 3,96 0 0 3,6 0 0 1");

  FlowRecord record = sample_flow();
  record.ends.vlan[0] = 5;
  text("fuzz_flow_json", "tcp", flow_json(record, "ssh").dump());
  record.ends = sample_ends("fe80::1", 0, "fe80::2", 0, IPPROTO_ICMPV6);
  record.icmp = IcmpTypes{.type = 128, .code = 0, .response_type = 129, .response_code = 0};
  record.is_continued = true;
  text("fuzz_flow_json", "icmp", flow_json(record, "").dump());
}

void seed_http_request() {
  const auto text = [](const std::string& name, const std::string& request) {
    write("fuzz_http_request", name, std::as_bytes(std::span(request)));
  };
  text("get", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  text("query", "GET /metrics?x=y HTTP/1.0\n\n");
  text("post", "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
}

}  // namespace
}  // namespace nids

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: fuzz_seeds DIRECTORY\n";
    return 2;
  }
  nids::root = arguments[1];
  nids::seed_parse();
  nids::seed_decode();
  nids::seed_config();
  nids::seed_capture_file();
  nids::seed_pcapng();
  nids::seed_flows();
  nids::seed_http_request();
  return 0;
}
