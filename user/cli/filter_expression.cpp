// SPDX-License-Identifier: Apache-2.0
#include "cli/filter_expression.hpp"

#include <arpa/inet.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr std::size_t kMaxBytes = 4096;

// Words that every libpcap since 1.8 has for its own: each must be one to libpcap too, or it would
// be looked up. Newer ones are refused like names, which is safe.
constexpr auto kWords = std::to_array<std::string_view>({
    "ah",           "and",       "arp",        "broadcast", "byte",
    "dst",          "esp",       "ether",      "gateway",   "greater",
    "host",         "icmp",      "icmp6",      "icmpcode",  "icmptype",
    "igmp",         "igrp",      "inbound",    "ip",        "ip6",
    "len",          "length",    "less",       "link",      "mask",
    "mpls",         "multicast", "net",        "not",       "or",
    "outbound",     "pim",       "port",       "portrange", "pppoed",
    "pppoes",       "proto",     "protochain", "rarp",      "sctp",
    "src",          "stp",       "tcp",        "tcp-ack",   "tcp-fin",
    "tcp-push",     "tcp-rst",   "tcp-syn",    "tcp-urg",   "tcpflags",
    "udp",          "vlan",      "vrrp",       "icmp-echo", "icmp-echoreply",
    "icmp-unreach", "geneve",
});

bool is_word(std::string_view text) {
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool is_number(std::string_view text) {
  const bool is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (is_hexadecimal) text.remove_prefix(2);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_hexadecimal ? is_hex : is_digit);
}

// Groups of `belongs`, each of at most `longest` characters, between separators.
bool is_grouped(std::string_view text, char separator, std::size_t least, std::size_t most,
                std::size_t longest, bool (*belongs)(char)) {
  std::size_t groups = 0;
  while (true) {
    const std::string_view group = text.substr(0, text.find(separator));
    if (group.empty() || group.size() > longest || ++groups > most ||
        !std::all_of(group.begin(), group.end(), belongs))
      return false;
    if (group.size() == text.size()) return groups >= least;
    text.remove_prefix(group.size() + 1);
  }
}

bool is_address(std::string_view text) {
  in6_addr ignored;
  return is_grouped(text, '.', 2, 4, 3, is_digit) ||  // a net may be written short
         is_grouped(text, ':', 6, 6, 2, is_hex) ||
         inet_pton(AF_INET6, std::string(text).c_str(), &ignored) == 1;
}

bool is_port_range(std::string_view text) { return is_grouped(text, '-', 2, 2, 5, is_digit); }

Error cannot_filter(std::string_view expression, std::string reason, std::string hint = {}) {
  return {.action = "filter by \"" + printable(expression, kMaxBytes) + "\"",
          .reason = std::move(reason),
          .hint = std::move(hint)};
}

// Copies the expression word by word. A word here is never a part of a longer one to libpcap,
// whose words have no other characters.
class Translation {
 public:
  Translation(std::string_view expression, const Services& services)
      : whole_(expression), services_(services) {}

  Result<std::string> run() {
    while (at_ < whole_.size()) {
      const char c = whole_[at_];
      if (starts_word(c)) {
        if (auto done = word(); !done) return done.error();
      } else if (c == '\\') {
        if (auto done = escaped(); !done) return done.error();
      } else if (auto done = other(c); !done) {
        return done.error();
      }
    }
    return std::move(out_);
  }

 private:
  bool starts_word(char c) const { return is_alnum(c) || (c == ':' && brackets_ == 0); }
  bool continues_word(char c) const {
    return is_alnum(c) || c == '_' || c == '-' || c == '.' || (c == ':' && brackets_ == 0);
  }

  Result<void> word() {
    std::size_t end = at_;
    while (end < whole_.size() && continues_word(whole_[end])) ++end;
    const std::string_view text = whole_.substr(at_, end - at_);
    at_ = end;
    if (is_word(text)) {
      out_ += text;
      previous_ = text;
      return {};
    }
    const std::string_view after = std::exchange(previous_, {});
    if (is_number(text) || is_address(text) || (after == "portrange" && is_port_range(text)) ||
        after == "proto") {
      out_ += text;
      return {};
    }
    if (after == "port") {
      const auto port = services_.port_of(text);
      if (!port) return refuse_name(text, "is no port's name in /etc/services");
      out_ += std::to_string(*port);
      return {};
    }
    return refuse_name(text, "is a name, and names are not looked up");
  }

  // A word of the language as the name of a protocol.
  Result<void> escaped() {
    const std::size_t end = std::min(whole_.find_first_of(" !()\n\t", at_), whole_.size());
    const std::string_view text = whole_.substr(at_, end - at_);
    const bool is_plain =
        std::all_of(text.begin() + 1, text.end(), [](char c) { return is_alnum(c) || c == '-'; });
    if (std::exchange(previous_, {}) != "proto" || !is_plain)
      return refuse_name(text, "may stand after `proto` only");
    out_ += text;
    at_ = end;
    return {};
  }

  Result<void> other(char c) {
    constexpr std::string_view kOthers = "()[]!&|=<>+-*/%^:";
    const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_blank && kOthers.find(c) == kOthers.npos)
      return cannot_filter(whole_, "the character " + printable(std::string_view(&c, 1)) +
                                       " has no meaning in a filter");
    if (c == '[') ++brackets_;
    if (c == ']' && brackets_ > 0) --brackets_;
    if (!is_blank) previous_ = {};
    out_ += c;
    ++at_;
    return {};
  }

  Result<void> refuse_name(std::string_view text, const char* why) const {
    return cannot_filter(whole_, "\"" + printable(text) + "\" " + why,
                         "write a host's address; a port's name needs `port` right before it");
  }

  std::string_view whole_;
  const Services& services_;
  std::size_t at_ = 0;
  unsigned brackets_ = 0;      // in them a colon stands for itself
  std::string_view previous_;  // the word of the language right before
  std::string out_;
};

struct FreePcap {
  void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};

using DeadPcap = std::unique_ptr<pcap_t, FreePcap>;
DeadPcap dead_pcap(int dlt) { return DeadPcap(pcap_open_dead(dlt, 65'535)); }

// Closes what is open, so that the beginning of an expression may be one by itself.
std::string closed(std::string_view beginning) {
  std::string text(beginning);
  std::ptrdiff_t open = std::count(text.begin(), text.end(), '(');
  open -= std::count(text.begin(), text.end(), ')');
  return text.append(static_cast<std::size_t>(std::max<std::ptrdiff_t>(open, 0)), ')');
}

bool is_within_word(std::string_view text, std::size_t at) {
  return at < text.size() && is_alnum(text[at - 1]) && is_alnum(text[at]);
}

// The longest beginning that libpcap compiles; it never says where it got stuck. Empty where there
// is none, and where the whole is understood but would match nothing.
std::string_view understood(std::string_view expression, const Services& services, pcap_t* pcap) {
  constexpr int kTries = 256;
  constexpr int kDoNotOptimise = 0;
  int tries = 0;
  for (std::size_t end = expression.size(); end > 0 && tries < kTries; --end) {
    if (expression[end - 1] == ' ' || is_within_word(expression, end)) continue;
    ++tries;
    const std::string_view beginning = expression.substr(0, end);
    const auto numeric = numeric_expression(closed(beginning), services);
    bpf_program program{};
    if (!numeric ||
        pcap_compile(pcap, &program, numeric->c_str(), kDoNotOptimise, PCAP_NETMASK_UNKNOWN) != 0)
      continue;
    pcap_freecode(&program);
    return end < expression.size() ? beginning : std::string_view{};
  }
  return {};
}

Result<std::vector<FilterInstruction>> compiled(std::string_view expression,
                                                const Services& services, pcap_t* pcap) {
  const auto numeric = numeric_expression(expression, services);
  if (!numeric) return numeric.error();
  if (pcap == nullptr) return cannot_filter(expression, "libpcap has no memory");
  bpf_program program{};
  constexpr int kOptimise = 1;
  if (pcap_compile(pcap, &program, numeric->c_str(), kOptimise, PCAP_NETMASK_UNKNOWN) != 0) {
    std::string reason = printable(pcap_geterr(pcap));
    if (const auto good = understood(expression, services, pcap); !good.empty())
      reason += "; understood up to column " + std::to_string(good.size()) + ", \"" +
                printable(good, kMaxBytes) + "\"";
    return cannot_filter(expression, std::move(reason), "man pcap-filter");
  }
  std::vector<FilterInstruction> instructions;
  for (const bpf_insn& one : std::span(program.bf_insns, program.bf_len))
    instructions.push_back({one.code, one.jt, one.jf, one.k});
  pcap_freecode(&program);
  return instructions;
}

}  // namespace

Result<std::string> numeric_expression(std::string_view expression, const Services& services) {
  if (expression.size() > kMaxBytes)
    return cannot_filter(expression.substr(0, 32), "it is longer than 4096 bytes");
  return Translation(expression, services).run();
}

Result<FlowFilter> compile_flow_filter(std::string_view expression, const Services& services) {
  const auto instructions = compiled(expression, services, dead_pcap(DLT_EN10MB).get());
  if (!instructions) return instructions.error();
  auto filter = FlowFilter::of(*instructions);
  if (filter) return filter;

  Error error = cannot_filter(expression, filter.error().reason, filter.error().hint);
  if (expression.find("vlan") != expression.npos)
    error.hint += "; after `vlan`, even after `not vlan`, the rest is about what follows a tag";
  return error;
}

Result<PacketFilter> compile_packet_filter(std::string_view expression, const Services& services,
                                           pcap* file) {
  // Raw IP of OpenBSD, which libpcap reads here and compiles nothing for.
  constexpr int kRawOfOpenBsd = 14;
  DeadPcap dead;
  if (file == nullptr) dead = dead_pcap(DLT_EN10MB);
  if (file != nullptr && pcap_datalink(file) == kRawOfOpenBsd) dead = dead_pcap(DLT_RAW);
  const auto instructions = compiled(expression, services, dead ? dead.get() : file);
  if (!instructions) return instructions.error();
  return PacketFilter::of(*instructions);
}

}  // namespace nids
