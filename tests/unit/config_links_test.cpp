// SPDX-License-Identifier: Apache-2.0
// The table [links]: which values it accepts, and which interfaces an agent joins.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/joined_links.hpp"
#include "support/config_text.hpp"

namespace nids {
namespace {

std::string links(const std::string& text) { return problem_of("[links]\n" + text); }

TEST(ConfigLinks, AnInterfaceIsInOneLinkAtMost) {
  EXPECT_EQ(links("a = ['eth1', 'eth2']\nb = ['eth3', 'eth1']"),
            "3:14: links.b: claims \"eth1\", which the link a has: expected each interface in one "
            "link at most");
  EXPECT_EQ(links("a = ['eth1', 'eth1']"), "2:14: links.a: has \"eth1\" twice");
}

TEST(ConfigLinks, HaveTwoInterfacesOrMore) {
  EXPECT_EQ(links("a = ['eth1']"), "2:5: links.a: expected 2 to 16 interfaces, found 1");
  EXPECT_EQ(links("a = []"), "2:5: links.a: expected 2 to 16 interfaces, found 0");
  std::string many;
  for (int i = 0; i < 17; ++i) many += "'eth" + std::to_string(i) + "', ";
  EXPECT_EQ(links("a = [" + many + "]"), "2:5: links.a: expected 2 to 16 interfaces, found 17");
}

TEST(ConfigLinks, ErrorsNameTheExpectedValue) {
  EXPECT_EQ(links("a = 'eth1'"),
            "2:5: links.a: expected an array such as [\"eth1\", \"eth2\"], found a string");
  EXPECT_EQ(links("a = ['eth1', 2]"),
            "2:14: links.a: expected the name of an interface, found an integer");
  EXPECT_EQ(links("a = ['eth1', '']"),
            "2:14: links.a: expected the name of an interface, found \"\"");
  EXPECT_EQ(links("a = ['eth1', 'a/b']"),
            "2:14: links.a: expected the name of an interface, found \"a/b\"");
  EXPECT_EQ(links("'a b' = ['eth1', 'eth2']"),
            "2:1: link name \"a b\": expected 1 to 31 of A-Z, a-z, 0-9, - and _");
  EXPECT_EQ(problem_of("links = 1"), "1:9: links: expected a table, found an integer");
  std::string many;
  for (int i = 0; i < 65; ++i) {
    const std::string n = std::to_string(i);
    many += "l" + n + " = ['a" + n + "', 'b" + n + "']\n";
  }
  EXPECT_EQ(links(many), "1:1: links: expected at most 64 links, found 65");
}

TEST(ConfigLinks, AreWrittenAsTheyAreRead) {
  Config config = default_config();
  config.links = {{"tap", {"eth1", "a\"b\x1b"}}};
  const std::string dump = dump_config(config);
  EXPECT_TRUE(holds(dump, "\ntap = [\"eth1\", \"a\\\"b\\u001b\"]\n")) << dump;
  EXPECT_EQ(accepted(dump), config);
}

class JoinedLinks : public testing::Test {
 protected:
  static LinkFacts interface(const std::string& name, int ifindex) {
    LinkFacts link;
    link.name = name;
    link.ifindex = ifindex;
    return link;
  }
  Result<Links> join(const std::vector<Config::Link>& links) {
    Callbacks callbacks;
    callbacks.info = [this](const std::string& text) { infos_.push_back(text); };
    callbacks.warning = [this](const std::string& text) { warnings_.push_back(text); };
    return join_interfaces(links, {interface("no-such-1", 9001), interface("no-such-2", 9002)},
                           callbacks);
  }

  std::vector<std::string> infos_, warnings_;
};

TEST_F(JoinedLinks, HaveAllTheirInterfaces) {
  const auto joined = join({{"tap", {"no-such-2", "no-such-1"}}});
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->id_of(9002), 9001u);
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(infos_,
            std::vector<std::string>{"the flows of no-such-2, no-such-1 join: one link, tap"});
}

TEST_F(JoinedLinks, GoOnWithoutAnInterfaceThatIsGone) {
  const Links tap({{.name = "tap", .interfaces = {3, 5}}});
  const Links left = links_among(tap, {5, 7});
  EXPECT_EQ(left.id_of(5), 5u);
  ASSERT_NE(left.find(5), nullptr);
  EXPECT_EQ(left.find(5)->name, "tap");
  EXPECT_EQ(left.find(3), nullptr);
  EXPECT_EQ(links_among(tap, {7}).find(3), nullptr);
}

TEST_F(JoinedLinks, AreRefusedIfOneInterfaceIsNotWatched) {
  const auto joined = join({{"tap", {"no-such-1", "no-such-3"}}});
  ASSERT_FALSE(joined);
  EXPECT_TRUE(holds(joined.error().message(), "no-such-3 is not watched"))
      << joined.error().message();
}

TEST_F(JoinedLinks, AreLeftOutWithAWarningIfNoInterfaceIsWatched) {
  const auto joined = join({{"far", {"no-such-3", "no-such-4"}}});
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->find(joined->id_of(9001)), nullptr);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_TRUE(holds(warnings_[0], "far"));
}

}  // namespace
}  // namespace nids
