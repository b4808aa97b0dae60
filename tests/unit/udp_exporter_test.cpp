// SPDX-License-Identifier: Apache-2.0
// Over the loopback interface, where the kernel delivers, and refuses, before send() returns.
#include "export/udp_exporter.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "support/flow_records.hpp"
#include "support/ipfix_decoder.hpp"

namespace nids {
namespace {

constexpr WallTime kStart{1'764'105'600'000'000'000};

WallTime after(std::uint64_t seconds) { return {kStart.ns + seconds * 1'000'000'000}; }

// A socket on the loopback that hears what is sent to it.
class Collector {
 public:
  explicit Collector(int family = AF_INET, std::uint16_t port = 0) : family_(family) {
    fd_ = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    ipv6.sin6_addr = in6addr_loopback;
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_bound_ =
        (family == AF_INET6 ? bind(fd_, reinterpret_cast<sockaddr*>(&ipv6), sizeof ipv6)
                            : bind(fd_, reinterpret_cast<sockaddr*>(&ipv4), sizeof ipv4)) == 0;
    socklen_t bytes = sizeof ipv6;
    sockaddr_in6 name{};
    getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &bytes);
    port_ = ntohs(name.sin6_port);  // at the same place in both families
  }
  ~Collector() { shut(); }

  void shut() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  bool is_bound() const { return is_bound_; }

  Endpoint endpoint() const {
    Endpoint at{.ip_version = 4, .address = {127, 0, 0, 1}, .port = port_};
    if (family_ == AF_INET6) at = {6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port_};
    return at;
  }

  // The next message, as it was sent; empty where there is none. Whose port is told too.
  std::optional<IpfixMessage> next() {
    std::vector<std::byte> bytes(65'536);
    sockaddr_in6 from{};
    socklen_t from_bytes = sizeof from;
    const ssize_t size = recvfrom(fd_, bytes.data(), bytes.size(), 0,
                                  reinterpret_cast<sockaddr*>(&from), &from_bytes);
    if (size < 0) return std::nullopt;
    EXPECT_LE(size, 1'400);
    exporter_port_ = ntohs(from.sin6_port);
    return decoder_.decode(std::span(bytes).first(static_cast<std::size_t>(size)));
  }
  std::uint16_t exporter_port() const { return exporter_port_; }

 private:
  int family_;
  int fd_ = -1;
  bool is_bound_ = false;
  std::uint16_t port_ = 0;
  std::uint16_t exporter_port_ = 0;
  IpfixDecoder decoder_;
};

UdpExporter exporter_to(const Endpoint& collector, UdpExporter::Options options = {}) {
  auto opened = UdpExporter::open(collector, options);
  if (!opened) ADD_FAILURE() << opened.error().message();
  return std::move(*opened);
}

const FlowRecord& a_flow() {
  static const FlowRecord record = flow_between("192.0.2.1", 40'000, "192.0.2.2", 80);
  return record;
}

TEST(UdpExporter, TemplatesComeFirstAndRecordsWaitForTheFlush) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint(), {.domain = 42});
  exporter.add(a_flow(), kStart);
  EXPECT_FALSE(collector.next());

  exporter.flush(after(1));
  const auto message = collector.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->templates, 2u);
  EXPECT_EQ(message->records.size(), 1u);
  EXPECT_EQ(message->domain, 42u);
  EXPECT_EQ(message->sequence, 0u);
  EXPECT_EQ(message->export_seconds, 1'764'105'601u);
  EXPECT_EQ(exporter.counts().delivered, 1u);
  EXPECT_EQ(exporter.error_number(), 0);
}

TEST(UdpExporter, NothingToSayIsNotSaid) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint());
  exporter.flush(kStart);
  ASSERT_TRUE(collector.next()) << "the templates";
  for (std::uint64_t second = 1; second < 60; ++second) exporter.flush(after(second));
  EXPECT_FALSE(collector.next());
}

TEST(UdpExporter, AFullMessageIsSentAtOnceAndNumbersGoOn) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint());
  constexpr std::uint32_t kRecords = 100;
  for (std::uint32_t i = 0; i < kRecords; ++i) {
    FlowRecord record = a_flow();
    record.ends.client_port = static_cast<std::uint16_t>(i);
    exporter.add(record, kStart);
  }
  EXPECT_GE(exporter.counts().delivered, kRecords - 20);
  exporter.flush(kStart);
  EXPECT_EQ(exporter.counts().delivered, kRecords);

  std::uint32_t read = 0, messages = 0;
  while (const auto message = collector.next()) {
    EXPECT_EQ(message->sequence, read);
    EXPECT_EQ(message->templates, messages == 0 ? 2u : 0u);
    for (const IpfixRecord& record : message->records) EXPECT_EQ(record.number(7), read++);
    ++messages;
  }
  EXPECT_EQ(read, kRecords);
  EXPECT_GT(messages, 4u);
}

TEST(UdpExporter, TemplatesAreSentAgainInTime) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint(), {.template_seconds = 30});
  exporter.flush(kStart);
  ASSERT_TRUE(collector.next());

  exporter.flush(after(29));
  EXPECT_FALSE(collector.next());
  exporter.flush(after(30));
  ASSERT_TRUE(collector.next()) << "without a record";

  exporter.add(a_flow(), after(59));
  exporter.flush(after(59));
  EXPECT_EQ(collector.next()->templates, 0u);
  exporter.add(a_flow(), after(60));
  exporter.flush(after(60));
  const auto message = collector.next();
  EXPECT_EQ(message->templates, 2u) << "with a record";
  EXPECT_EQ(message->records.size(), 1u);
  EXPECT_EQ(message->sequence, 1u) << "templates are not counted";
}

TEST(UdpExporter, AClockSetBackDoesNotKeepTemplatesAway) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint());
  exporter.flush(after(3'600));
  ASSERT_TRUE(collector.next());
  exporter.flush(kStart);
  EXPECT_TRUE(collector.next());
  exporter.flush(after(1));
  EXPECT_FALSE(collector.next());
}

TEST(UdpExporter, AnIpv6CollectorIsSpokenToAsWell) {
  Collector collector(AF_INET6);
  if (!collector.is_bound()) GTEST_SKIP() << "no IPv6 on the loopback interface";
  UdpExporter exporter = exporter_to(collector.endpoint());
  exporter.add(flow_between("fd00::1", 1, "fd00::2", 2), kStart);
  exporter.flush(kStart);
  EXPECT_EQ(collector.next()->records.size(), 1u);
  EXPECT_TRUE(exporter.is_own(flow_between("::1", collector.exporter_port(), "::1",
                                           collector.endpoint().port, IPPROTO_UDP)));
}

TEST(UdpExporter, ItsOwnTrafficIsLeftOutAndCountedApart) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint());
  exporter.flush(kStart);
  ASSERT_TRUE(collector.next());
  const std::uint16_t ours = collector.exporter_port(), theirs = collector.endpoint().port;

  const FlowRecord own[] = {flow_between("127.0.0.1", ours, "127.0.0.1", theirs, IPPROTO_UDP),
                            flow_between("127.0.0.1", theirs, "127.0.0.1", ours, IPPROTO_UDP)};
  const auto other_port = static_cast<std::uint16_t>(ours ^ 1);
  const FlowRecord others[] = {
      flow_between("127.0.0.1", ours, "127.0.0.1", theirs, IPPROTO_TCP),
      flow_between("127.0.0.1", other_port, "127.0.0.1", theirs, IPPROTO_UDP),
      flow_between("127.0.0.2", ours, "127.0.0.1", theirs, IPPROTO_UDP),
      flow_between("127.0.0.1", ours, "127.0.0.2", theirs, IPPROTO_UDP),
      flow_between("7f00:1::", ours, "7f00:1::", theirs, IPPROTO_UDP)};
  for (const FlowRecord& record : own) exporter.add(record, kStart);
  for (const FlowRecord& record : others) exporter.add(record, kStart);
  exporter.flush(kStart);

  EXPECT_EQ(exporter.counts().own, std::size(own));
  EXPECT_EQ(exporter.counts().delivered, std::size(others));
  EXPECT_EQ(collector.next()->records.size(), std::size(others));
}

TEST(UdpExporter, RecordsForACollectorThatIsDownAreCountedAsLost) {
  Collector collector;
  UdpExporter exporter = exporter_to(collector.endpoint());
  collector.shut();
  for (std::uint64_t second = 1; second <= 10; ++second) {
    exporter.add(a_flow(), after(second));
    exporter.flush(after(second));
  }
  exporter.flush(after(11));  // learns what became of the tenth
  EXPECT_EQ(exporter.counts().delivered, 0u);
  EXPECT_EQ(exporter.counts().lost, 10u);
  EXPECT_EQ(exporter.error_number(), ECONNREFUSED);
}

TEST(UdpExporter, ACollectorThatComesBackIsToldTheTemplatesAndSeesTheGap) {
  Collector first;
  const std::uint16_t port = first.endpoint().port;
  UdpExporter exporter = exporter_to(first.endpoint());
  first.shut();
  for (std::uint64_t second = 1; second <= 3; ++second) {
    exporter.add(a_flow(), after(second));
    exporter.flush(after(second));
  }
  Collector second(AF_INET, port);
  ASSERT_TRUE(second.is_bound());
  exporter.add(a_flow(), after(4));
  exporter.flush(after(4));
  const auto message = second.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->templates, 2u);
  EXPECT_EQ(message->records.size(), 1u);
  EXPECT_EQ(message->sequence, 3u);

  exporter.flush(after(5));
  EXPECT_FALSE(second.next()) << "all is well again";
  EXPECT_EQ(exporter.counts().delivered, 1u);
  EXPECT_EQ(exporter.counts().lost, 3u);
  EXPECT_EQ(exporter.error_number(), 0);
}

TEST(UdpExporter, AnAddressThatNeverWillDoIsAnErrorThatSaysSo) {
  const auto broadcast = UdpExporter::open({4, {127, 255, 255, 255}, 4739}, {});
  ASSERT_FALSE(broadcast);
  EXPECT_NE(broadcast.error().message().find("hint"), std::string::npos);
}

TEST(UdpExporter, ItCanBeMoved) {
  Collector collector;
  UdpExporter first = exporter_to(collector.endpoint());
  first.add(a_flow(), kStart);
  UdpExporter second = std::move(first);
  second.flush(kStart);
  EXPECT_EQ(collector.next()->records.size(), 1u);
  EXPECT_EQ(second.counts().delivered, 1u);
}

}  // namespace
}  // namespace nids
