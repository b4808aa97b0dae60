// SPDX-License-Identifier: Apache-2.0
#include "source/link_layer.hpp"

#include <gtest/gtest.h>
#include <pcap/dlt.h>

#include <initializer_list>
#include <vector>

namespace nids {
namespace {

std::optional<LinkLayer> layer_of(int dlt, std::initializer_list<int> bytes,
                                  std::size_t padded_to = 0) {
  std::vector<std::byte> frame;
  for (const int byte : bytes) frame.push_back(static_cast<std::byte>(byte));
  if (frame.size() < padded_to) frame.resize(padded_to);
  return link_layer(dlt, frame);
}

void expect_layer(const std::optional<LinkLayer>& layer, int ether_type, std::size_t offset) {
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->ether_type, ether_type);
  EXPECT_EQ(layer->offset, offset);
  EXPECT_FALSE(layer->ethernet);
}

constexpr int kIpv4 = 0x0800;
constexpr int kIpv6 = 0x86dd;

TEST(LinkLayer, EthernetIsLeftToParseHoweverShort) {
  for (const std::size_t size : {0u, 13u, 14u, 60u}) {
    const auto layer = layer_of(DLT_EN10MB, {}, size);
    ASSERT_TRUE(layer);
    EXPECT_TRUE(layer->ethernet);
    EXPECT_EQ(layer->offset, 0u);
  }
}

TEST(LinkLayer, RawFramesAreToldByTheirVersion) {
  for (const int dlt : {12, 14, 101, DLT_IPV4, DLT_IPV6}) {
    expect_layer(layer_of(dlt, {0x45}), kIpv4, 0);
    expect_layer(layer_of(dlt, {0x60}), kIpv6, 0);
    expect_layer(layer_of(dlt, {0x00}), 0, 0);
    EXPECT_FALSE(layer_of(dlt, {}));
  }
}

TEST(LinkLayer, LoopbackFamiliesAreReadInEitherByteOrder) {
  for (const int dlt : {DLT_NULL, DLT_LOOP}) {
    expect_layer(layer_of(dlt, {2, 0, 0, 0}), kIpv4, 4);
    expect_layer(layer_of(dlt, {0, 0, 0, 2}), kIpv4, 4);
    for (const int family : {10, 24, 28, 30}) {
      expect_layer(layer_of(dlt, {family, 0, 0, 0}), kIpv6, 4);
      expect_layer(layer_of(dlt, {0, 0, 0, family}), kIpv6, 4);
    }
    expect_layer(layer_of(dlt, {2, 0, 0, 2}), 0, 4);
    expect_layer(layer_of(dlt, {0, 0, 0, 7}), 0, 4);
    EXPECT_FALSE(layer_of(dlt, {2, 0, 0}));
  }
}

TEST(LinkLayer, CookedFramesNameTheirProtocol) {
  const auto sll = [](int high, int low) {
    return layer_of(DLT_LINUX_SLL, {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, high, low});
  };
  expect_layer(sll(0x08, 0x00), kIpv4, 16);
  expect_layer(sll(0x86, 0xdd), kIpv6, 16);
  expect_layer(sll(0x81, 0x00), 0x8100, 16);
  expect_layer(sll(0x88, 0xa8), 0x88a8, 16);
  expect_layer(sll(0x00, 0x04), 0x0004, 16);
  EXPECT_FALSE(layer_of(DLT_LINUX_SLL, {}, 15));

  expect_layer(layer_of(DLT_LINUX_SLL2, {0x08, 0x00, 0, 0, 0, 0, 0, 2, 0, 1}, 20), kIpv4, 20);
  EXPECT_FALSE(layer_of(DLT_LINUX_SLL2, {0x08, 0x00}, 19));
}

TEST(LinkLayer, CookedFramesOfANetlinkDeviceHaveNoEtherType) {
  constexpr int kNetlinkHigh = 824 >> 8;
  constexpr int kNetlinkLow = 824 & 0xff;
  expect_layer(layer_of(DLT_LINUX_SLL,
                        {0, 0, kNetlinkHigh, kNetlinkLow, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}),
               0, 16);
  expect_layer(layer_of(DLT_LINUX_SLL2, {8, 0, 0, 0, 0, 0, 0, 2, kNetlinkHigh, kNetlinkLow}, 20), 0,
               20);
}

TEST(LinkLayer, PppIsReadWithAndWithoutAddressAndWithShortProtocols) {
  for (const int dlt : {DLT_PPP, DLT_PPP_SERIAL}) {
    expect_layer(layer_of(dlt, {0xff, 0x03, 0x00, 0x21}), kIpv4, 4);
    expect_layer(layer_of(dlt, {0xff, 0x03, 0x21}), kIpv4, 3);
    expect_layer(layer_of(dlt, {0x00, 0x57}), kIpv6, 2);
    expect_layer(layer_of(dlt, {0x57}), kIpv6, 1);
    expect_layer(layer_of(dlt, {0xff, 0x03, 0xc0, 0x21}), 0, 4);  // LCP
    EXPECT_FALSE(layer_of(dlt, {}));
    EXPECT_FALSE(layer_of(dlt, {0x00}));
    EXPECT_FALSE(layer_of(dlt, {0xff, 0x03}));
    EXPECT_FALSE(layer_of(dlt, {0xff, 0x03, 0xc0}));
  }
}

TEST(LinkLayer, CiscoHdlcOnASerialLineHasAnEtherType) {
  expect_layer(layer_of(DLT_PPP_SERIAL, {0x0f, 0x00, 0x08, 0x00}), kIpv4, 4);
  expect_layer(layer_of(DLT_PPP_SERIAL, {0x8f, 0x00, 0x86, 0xdd}), kIpv6, 4);
  EXPECT_FALSE(layer_of(DLT_PPP_SERIAL, {0x0f, 0x00, 0x08}));
}

TEST(LinkLayer, TakesWhatItReadsAndNothingElse) {
  int taken = 0;
  for (int dlt = 0; dlt < 400; ++dlt) {
    EXPECT_EQ(link_type_taken(dlt), layer_of(dlt, {}, 64).has_value()) << dlt;
    taken += link_type_taken(dlt) ? 1 : 0;
  }
  EXPECT_EQ(taken, 12);
}

}  // namespace
}  // namespace nids
