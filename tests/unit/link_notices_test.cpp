// SPDX-License-Identifier: Apache-2.0
#include "agent/link_notices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/shell_word.hpp"

namespace nids {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr VlanOffload kOff{};
constexpr VlanOffload kOn{.is_on = true};
constexpr VlanOffload kBoth{.is_on = true, .is_on_stag = true};

LinkFacts link_named(const std::string& name, int ifindex, const std::string& kind = "",
                     int master = 0) {
  LinkFacts link;
  link.name = name;
  link.ifindex = ifindex;
  link.kind = kind;
  link.master = master;
  return link;
}

TagTaker card(const std::string& name, std::optional<VlanOffload> offload) {
  return {.name = name, .enter = {}, .offload = offload, .is_sender = false};
}

TagTaker other_end(const std::string& name, std::optional<VlanOffload> offload,
                   const std::string& enter = "") {
  return {.name = name, .enter = enter, .offload = offload, .is_sender = true};
}

std::optional<Notice> of_card(const VlanOffload& offload, nids_mode mode = NIDS_MODE_NATIVE) {
  return hidden_tags(link_named("eth0", 2), mode, std::vector{card("eth0", offload)});
}

std::vector<std::string> names(const std::vector<LinkFacts>& links) {
  std::vector<std::string> all;
  for (const LinkFacts& link : links) all.push_back(link.name);
  return all;
}

TEST(HiddenTags, ACardThatTakesThemOutIsNamedWithACommand) {
  const Notice expected{"VLAN tags are not seen: the receive offload of eth0 takes them out",
                        "ethtool -K eth0 rxvlan off"};
  EXPECT_EQ(of_card(kOn), expected);
  EXPECT_EQ(of_card(kOn, NIDS_MODE_SKB), expected);
  EXPECT_EQ(of_card(kOff), std::nullopt);
}

TEST(HiddenTags, TheFilterOfTcReadsThemBesideTheFrame) {
  EXPECT_EQ(of_card(kOn, NIDS_MODE_TC), std::nullopt);
  EXPECT_EQ(hidden_tags(link_named("br0", 2, "bridge"), NIDS_MODE_TC, {}), std::nullopt);
}

TEST(HiddenTags, TheCommandTurnsOffWhatIsOnAndNoMore) {
  EXPECT_EQ(of_card(kBoth)->remedy, "ethtool -K eth0 rxvlan off rx-vlan-stag-hw-parse off");
  const auto stag = of_card({.is_on = false, .is_on_stag = true});
  EXPECT_EQ(stag->remedy, "ethtool -K eth0 rx-vlan-stag-hw-parse off");
  EXPECT_THAT(stag->what, StartsWith("802.1ad VLAN tags are not seen"));
}

TEST(HiddenTags, NoCommandIsNamedThatTheCardRefuses) {
  const auto fixed = of_card({.is_on = true, .is_on_stag = false, .can_be_turned_off = false});
  EXPECT_EQ(fixed->remedy, "attach with --mode tc");
}

TEST(HiddenTags, AnInterfaceThatTellsNoFeaturesHasNone) {
  EXPECT_EQ(hidden_tags(link_named("tap0", 2, "tun"), NIDS_MODE_SKB,
                        std::vector{card("tap0", std::nullopt)}),
            std::nullopt);
}

TEST(HiddenTags, TheOtherEndOfAVethDecides) {
  const LinkFacts veth = link_named("v0", 2, "veth");
  const auto judge = [&](TagTaker taker) {
    return hidden_tags(veth, NIDS_MODE_NATIVE, std::vector{std::move(taker)});
  };
  EXPECT_EQ(judge(other_end("v1", kOff)), std::nullopt);
  EXPECT_EQ(judge(other_end("v1", kBoth, "ip netns exec far")),
            (Notice{"VLAN tags are not seen: v1, the other end of this veth, sends them beside the "
                    "frame",
                    "ip netns exec far ethtool -K v1 txvlan off tx-vlan-stag-hw-insert off"}));
}

TEST(HiddenTags, AnOtherEndThatIsNotFoundMightHideThem) {
  const auto notice = hidden_tags(link_named("v0", 2, "veth"), NIDS_MODE_SKB,
                                  std::vector{other_end("", std::nullopt)});
  EXPECT_EQ(notice,
            (Notice{"VLAN tags might not be seen: the other end of this veth was not found",
                    "at the other end: ethtool -K NAME txvlan off tx-vlan-stag-hw-insert off"}));
}

TEST(HiddenTags, ABridgeInSkbModeGetsFramesWithoutThemWhateverItsOffloads) {
  const auto notice =
      hidden_tags(link_named("br0", 2, "bridge"), NIDS_MODE_SKB, std::vector{card("br0", kOff)});
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->what, HasSubstr("in skb mode a bridge"));
  EXPECT_EQ(notice->remedy, "attach with --mode tc");
}

TEST(HiddenTags, EachPortOfABondIsNamedInNativeMode) {
  const std::vector ports{card("eth0", kOn), card("eth1", kOff), card("eth2", kOn)};
  const auto notice = hidden_tags(link_named("bond0", 9, "bond"), NIDS_MODE_NATIVE, ports);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->remedy, "ethtool -K eth0 rxvlan off && ethtool -K eth2 rxvlan off");
}

TEST(HiddenTags, AnInterfacesNameIsOneWordToTheShell) {
  EXPECT_EQ(shell_word("eth0.10@x:y"), "eth0.10@x:y");
  EXPECT_EQ(shell_word("$(id)"), "'$(id)'");
  EXPECT_EQ(shell_word("a'b;c"), "'a'\\''b;c'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(
      hidden_tags(link_named("`id`", 2), NIDS_MODE_SKB, std::vector{card("`id`", kOn)})->remedy,
      "ethtool -K '`id`' rxvlan off");
}

// br0 has the ports bond0 and v0; bond0 has the ports eth0 and eth1.
const std::vector<LinkFacts>& nested() {
  static const std::vector<LinkFacts> links{
      link_named("lo", 1),
      link_named("eth0", 2, "", 4),
      link_named("eth1", 3, "", 4),
      link_named("bond0", 4, "bond", 5),
      link_named("br0", 5, "bridge"),
      link_named("v0", 6, "veth", 5),
  };
  return links;
}

TEST(SeenTwice, MastersAndPortsAreFoundThroughAllLevels) {
  EXPECT_THAT(names(masters_of(nested()[1], nested())), ElementsAre("bond0", "br0"));
  EXPECT_THAT(names(ports_of(nested()[4], nested())), ElementsAre("eth0", "eth1", "bond0", "v0"));
  EXPECT_THAT(names(masters_of(nested()[0], nested())), ElementsAre());
}

TEST(SeenTwice, TheWalkEndsAtACircleAndAtAnUnknownMaster) {
  const std::vector circle{link_named("a", 1, "", 2), link_named("b", 2, "", 1),
                           link_named("c", 3, "", 99)};
  EXPECT_LE(masters_of(circle[0], circle).size(), 8u);
  EXPECT_TRUE(masters_of(circle[2], circle).empty());
}

TEST(SeenTwice, BothAreNamedFromEitherSide) {
  const std::vector watched{2, 5};
  EXPECT_EQ(seen_twice(nested()[1], nested(), watched)->what,
            "packets are seen twice: its master br0 is watched too");
  EXPECT_EQ(seen_twice(nested()[4], nested(), watched)->what,
            "packets are seen twice: its port eth0 is watched too");
  EXPECT_EQ(seen_twice(nested()[3], nested(), std::vector{2, 3, 4, 5})->what,
            "packets are seen twice: its master br0 is watched too; its ports eth0, eth1 are "
            "watched too");
}

TEST(SeenTwice, OneInterfaceOrTwoPortsOfAMasterAreNotReported) {
  EXPECT_EQ(seen_twice(nested()[1], nested(), std::vector{2}), std::nullopt);
  EXPECT_EQ(seen_twice(nested()[1], nested(), std::vector{2, 3, 6}), std::nullopt);
}

}  // namespace
}  // namespace nids
