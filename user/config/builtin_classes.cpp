// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kFirstSignature = 1001;
constexpr std::uint32_t kDepth = 64 * 1024;
constexpr std::uint32_t kTlsDepth = 16 * 1024;  // the handshake; what follows is encrypted

PortRange tcp(std::uint16_t first, std::uint16_t last) { return {6, first, last}; }
PortRange tcp(std::uint16_t port) { return tcp(port, port); }
PortRange udp(std::uint16_t first, std::uint16_t last) { return {17, first, last}; }
PortRange udp(std::uint16_t port) { return udp(port, port); }

struct Row {
  const char* name;
  int severity;
  const char* technique;
  std::vector<PortRange> ports;
};

// A technique is named only where a connection to the port is what its definition describes. A
// database or FTP session by itself is neither collection nor exfiltration, and IRC by itself no
// command channel, so those have none.
std::vector<Row> rows() {
  return {
      {"ssh", 2, "T1021.004", {tcp(22)}},
      {"telnet", 1, "T1021", {tcp(23)}},
      {"tls",
       3,
       "",
       {tcp(443), tcp(465), tcp(563), tcp(636), tcp(853), tcp(989), tcp(990), tcp(992, 995),
        tcp(8443)}},
      {"sip", 2, "", {tcp(5060, 5061), udp(5060, 5061)}},
      {"netis", 1, "T1190", {udp(53413)}},
      // 5985-5986, displays 85 and 86, are far more often winrm.
      {"rfb", 2, "T1021.005", {tcp(5900, 5984), tcp(5987, 5999)}},
      {"microsoft-ds", 2, "T1021.002", {tcp(445), udp(445)}},
      {"netbios", 2, "", {tcp(137, 139), udp(137, 139)}},
      {"ftp", 2, "", {tcp(21)}},
      {"tftp", 2, "", {udp(69)}},
      {"rsh", 1, "T1021", {tcp(512, 514)}},  // rexec, rlogin, rsh
      {"rdp", 2, "T1021.001", {tcp(3389), udp(3389)}},
      {"ms-sql", 2, "", {tcp(1433), udp(1434)}},
      {"mysql", 2, "", {tcp(3306)}},
      {"postgres", 2, "", {tcp(5432)}},
      {"redis", 2, "", {tcp(6379)}},
      {"mongodb", 2, "", {tcp(27017, 27019)}},
      {"docker", 1, "T1609", {tcp(2375, 2377)}},
      {"x11", 2, "", {tcp(6000, 6063)}},
      {"snmp", 2, "T1602.001", {tcp(161, 162), udp(161, 162)}},
      {"irc", 2, "", {tcp(194), tcp(6660, 6669), tcp(6697)}},
      {"adb", 1, "", {tcp(5555)}},
      {"winrm", 2, "T1021.006", {tcp(5985, 5986)}},
  };
}

}  // namespace

std::vector<ProtocolClass> builtin_classes() {
  std::vector<ProtocolClass> classes;
  std::uint32_t signature_id = kFirstSignature;
  for (Row& row : rows()) {
    const std::string name = row.name;
    classes.push_back({.name = name,
                       .signature_id = signature_id++,
                       .severity = row.severity,
                       .interest = NIDS_INTEREST_INSPECT,
                       .depth_bytes = name == "tls" ? kTlsDepth : kDepth,
                       .ports = std::move(row.ports),
                       .technique = row.technique});
  }
  return classes;
}

Config default_config() {
  Config config;
  config.classes = builtin_classes();
  return config;
}

}  // namespace nids
