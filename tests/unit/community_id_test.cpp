// SPDX-License-Identifier: Apache-2.0
#include "net/community_id.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace nids {
namespace {

struct Vector {
  std::uint8_t l4_proto;
  std::string source, destination;
  std::uint16_t source_port, destination_port;
  std::string seed_0, seed_1;
};

std::string id_of(const Vector& v, std::uint16_t seed) {
  std::uint8_t source[16]{};
  std::uint8_t destination[16]{};
  const bool is_ipv6 = v.source.find(':') != std::string::npos;
  const int family = is_ipv6 ? AF_INET6 : AF_INET;
  EXPECT_EQ(inet_pton(family, v.source.c_str(), source), 1);
  EXPECT_EQ(inet_pton(family, v.destination.c_str(), destination), 1);
  return community_id(source, destination, v.source_port, v.destination_port, v.l4_proto,
                      is_ipv6 ? 6 : 4, seed);
}

void expect_published(std::initializer_list<Vector> vectors) {
  for (const Vector& v : vectors) {
    EXPECT_EQ(id_of(v, 0), v.seed_0) << v.source;
    EXPECT_EQ(id_of(v, 1), v.seed_1) << v.source;
  }
}

// Expected values: the baseline of community-id-spec and the tests of pycommunityid.

TEST(CommunityId, TcpIsTheSameInBothDirections) {
  expect_published({{6, "128.232.110.120", "66.35.250.204", 34855, 80,
                     "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
                    {6, "66.35.250.204", "128.232.110.120", 80, 34855,
                     "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
                    {6, "10.0.0.1", "10.0.0.2", 10, 11569,
                     "1:SXBGMX1lBOwhhoDrZynfROxnhnM=", "1:HmBRGR+fUyXF4t8WEtal7Y0gEAo="}});
}

TEST(CommunityId, Ipv6HashesWholeAddresses) {
  expect_published({{6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943,
                     25, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", "1:eJYTW6AOzFLlSUoESovMjnu7rMw="}});
}

TEST(CommunityId, UdpAndSctpHavePorts) {
  expect_published({{17, "192.168.1.52", "8.8.8.8", 54585, 53,
                     "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="},
                    {132, "192.168.170.8", "192.168.170.56", 7, 80,
                     "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=", "1:Y1/0jQg6e+I3ZwZZ9LP65DNbTXU="},
                    {132, "192.168.170.56", "192.168.170.8", 80, 7,
                     "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=", "1:Y1/0jQg6e+I3ZwZZ9LP65DNbTXU="}});
}

TEST(CommunityId, IcmpRequestAndReplyAreOneFlowWhateverTheirCode) {
  expect_published({{1, "192.168.0.89", "192.168.0.1", 8, 0,
                     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
                    {1, "192.168.0.1", "192.168.0.89", 0, 0,
                     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
                    {1, "192.168.0.1", "192.168.0.89", 0, 20,
                     "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="}});
}

TEST(CommunityId, OneWayIcmpKeepsItsCodeAndItsDirection) {
  expect_published({{1, "192.168.0.89", "192.168.0.1", 20, 0,
                     "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=", "1:lCXHHxavE1Vq3oX9NH5ladQg02o="},
                    {1, "192.168.0.89", "192.168.0.1", 20, 1,
                     "1:tz/fHIDUHs19NkixVVoOZywde+I=", "1:Ie3wmFyxiEyikbsbcO03d2nh+PM="},
                    {1, "10.0.0.1", "10.0.0.2", 11, 0,
                     "1:YHxtAirCG//0OzkcVAukqKQN9xM=", "1:XjUibYHaafLQ3pxQeiMI8g25q20="}});
}

TEST(CommunityId, Icmpv6PairsNeighbourMessages) {
  expect_published({{58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0,
                     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
                    {58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0,
                     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
                    {58, "fe80::260:97ff:fe07:69ea", "ff02::1", 134, 0,
                     "1:pkvHqCL88/tg1k4cPigmZXUtL00=", "1:K/ee5UCqAMAQXDorP5nSa2CGLjc="}});
}

TEST(CommunityId, OneWayIcmpv6KeepsItsDirection) {
  expect_published({{58, "3ffe:507:0:1:260:97ff:fe07:69ea", "3ffe:507:0:1:200:86ff:fe05:80da", 3, 0,
                     "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=", "1:OlOWx9psIbBFi7lOCw/4MhlKR9M="},
                    {58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", 3, 0,
                     "1:/OGBt9BN1ofenrmSPWYicpij2Vc=", "1:Ij4ZxnC87/MXzhOjvH2vHu7LRmE="},
                    {58, "3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 1,
                     4, "1:hLZd0XGWojozrvxqE0dWB1iM6R0=", "1:W8MHwXpWzpoSTD+cGcaJr4u0ys8="}});
}

TEST(CommunityId, ProtocolWithoutPortsIgnoresThem) {
  expect_published({{46, "10.1.12.1", "10.1.12.2", 0, 0,
                     "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=", "1:rYir8gphR31noO9iDRQmF/BteEI="},
                    {46, "10.1.24.4", "10.1.12.1", 9, 7,
                     "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=", "1:BK3BVW3U2eemuwVQVN3zd/GULno="}});
}

TEST(CommunityId, BetweenEqualAddressesThePortsDecide) {
  const Vector there{6, "127.0.0.1", "127.0.0.1", 40000, 22, "", ""};
  const Vector back{6, "127.0.0.1", "127.0.0.1", 22, 40000, "", ""};
  EXPECT_EQ(id_of(there, 0), id_of(back, 0));
}

}  // namespace
}  // namespace nids
