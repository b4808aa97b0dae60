// SPDX-License-Identifier: Apache-2.0
// The index of each class over several reloads, and the message that carries the classes to the
// agent.
#include "agent/class_index.hpp"

#include <gtest/gtest.h>

#include <string>

#include "agent/class_message.hpp"
#include "agent/class_table.hpp"

namespace nids {
namespace {

ProtocolClass named(const std::string& name) {
  ProtocolClass one;
  one.name = name;
  one.signature_id = 1999;
  one.ports = {{6, 22, 22}};
  return one;
}

std::vector<ProtocolClass> classes(std::initializer_list<const char*> names) {
  std::vector<ProtocolClass> all;
  for (const char* name : names) all.push_back(named(name));
  return all;
}

std::vector<ProtocolClass> numbered(int first, int last) {
  std::vector<ProtocolClass> all;
  for (int i = first; i <= last; ++i) all.push_back(named("c" + std::to_string(i)));
  return all;
}

PlacedClasses placed(const ClassIndexes& before, const std::vector<ProtocolClass>& wanted,
                     const ClassSet& held = {}) {
  auto result = place_classes(before, wanted, held);
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return result ? *result : PlacedClasses{.classes = ClassIndexes(NIDS_CLASS_MAX), .reused = {}};
}

TEST(ClassIndex, AClassKeepsItsIndexWhateverItsPlaceInTheFile) {
  const ClassIndexes first = indexes_in_order(classes({"a", "b", "c"}));
  const auto next = placed(first, classes({"d", "c", "a"}));
  EXPECT_EQ(next.classes[1].rule.name, "a");
  EXPECT_EQ(next.classes[3].rule.name, "c");
  EXPECT_EQ(next.classes[4].rule.name, "d");
  EXPECT_TRUE(next.reused.none());
}

TEST(ClassIndex, ARemovedClassIsRetiredWithItsNameAndWithoutPorts) {
  const auto next = placed(indexes_in_order(classes({"a", "b"})), classes({"b"}));
  const IndexedClass& gone = next.classes[1];
  EXPECT_EQ(gone.rule.name, "a");
  EXPECT_TRUE(gone.is_retired);
  EXPECT_TRUE(gone.rule.ports.empty());
  EXPECT_EQ(gone.rule.interest, NIDS_INTEREST_COUNT);
  EXPECT_EQ(retired_classes(next.classes), ClassSet(0b10));
}

TEST(ClassIndex, AClassThatComesBackHasItsIndexAgain) {
  const auto without = placed(indexes_in_order(classes({"a", "b"})), classes({"b"}));
  const auto again = placed(without.classes, classes({"b", "x", "a"}));
  EXPECT_EQ(again.classes[1].rule.name, "a");
  EXPECT_FALSE(again.classes[1].is_retired);
  EXPECT_EQ(again.classes[3].rule.name, "x");
}

TEST(ClassIndex, IndexesAreReusedOnlyIfNoneIsUnused) {
  ClassIndexes now = indexes_in_order(numbered(1, 1));
  for (int i = 2; i < NIDS_CLASS_MAX; ++i) {
    const auto next = placed(now, numbered(i, i));
    EXPECT_TRUE(next.reused.none());
    EXPECT_EQ(next.classes[static_cast<std::size_t>(i)].rule.name, "c" + std::to_string(i));
    now = next.classes;
  }
  const auto next = placed(now, numbered(64, 64));
  EXPECT_EQ(next.reused, ClassSet(0b10)) << "the index of the class that was removed first";
  EXPECT_EQ(next.classes[1].rule.name, "c64");
}

TEST(ClassIndex, AnIndexThatNoSlotHasIsReusedFirst) {
  ClassIndexes now = indexes_in_order(numbered(1, 1));
  for (int i = 2; i < NIDS_CLASS_MAX; ++i) now = placed(now, numbered(i, i)).classes;
  ClassSet held;
  held.set();
  held.reset(40);
  EXPECT_EQ(placed(now, numbered(64, 64), held).reused, ClassSet().set(40));
}

TEST(ClassIndex, AThousandRenamingsNeverMoveTheOtherClasses) {
  ClassIndexes now = indexes_in_order(classes({"stays", "c0"}));
  for (int i = 1; i <= 1000; ++i) {
    auto wanted = numbered(i, i);
    wanted.insert(wanted.begin(), named("stays"));
    const auto next = placed(now, wanted);
    EXPECT_EQ(next.classes[1].rule.name, "stays");
    EXPECT_EQ((next.reused & ~retired_classes(now)), ClassSet());
    now = next.classes;
  }
}

TEST(ClassIndex, ThisReloadReusesNoIndexOfAClassThatItRemoves) {
  const ClassIndexes full = indexes_in_order(numbered(1, 63));
  const auto refused = place_classes(full, numbered(2, 64), {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("class c64"), std::string::npos);
  const auto without = placed(full, numbered(2, 63));
  EXPECT_EQ(placed(without.classes, numbered(2, 64)).reused, ClassSet(0b10));
}

TEST(ClassIndex, ProgramsThatAreTakenOverKeepTheirIndexes) {
  Config config = default_config();
  const auto before = placed(indexes_in_order(classes({"a", "b", "c"})), classes({"c", "b"}));
  const ClassIndexes there = indexes_of(abi_classes(config, before.classes));
  EXPECT_EQ(retired_classes(there), ClassSet(0b1110));
  const auto next = placed(there, classes({"d", "b", "c"}));
  EXPECT_EQ(next.classes[2].rule.name, "b");
  EXPECT_EQ(next.classes[3].rule.name, "c");
  EXPECT_EQ(next.classes[4].rule.name, "d");
  EXPECT_EQ(retired_classes(next.classes), ClassSet(0b10));
}

TEST(ClassIndex, IndexesOfProgramsThatDisagreeAreNotAdded) {
  ClassIndexes all(NIDS_CLASS_MAX);
  EXPECT_TRUE(add_indexes(all, indexes_in_order(classes({"a", "b"}))));
  EXPECT_TRUE(add_indexes(all, indexes_in_order(classes({"a", "b", "c"}))));
  const ClassIndexes known = all;
  EXPECT_FALSE(add_indexes(all, indexes_in_order(classes({"b", "a"}))));
  EXPECT_FALSE(add_indexes(all, indexes_in_order(classes({"a", "x"}))));
  EXPECT_FALSE(add_indexes(all, indexes_in_order(classes({"a", "b", "y"}))));
  EXPECT_EQ(all, known);
  EXPECT_EQ(all[3].rule.name, "c");
}

TEST(ClassIndex, TheFirstPassGetsNamesFlagsAndPortsByIndex) {
  const auto next = placed(indexes_in_order(classes({"a", "b"})), classes({"b"}));
  const auto abi = abi_classes(default_config(), next.classes);
  EXPECT_STREQ(abi[1].name, "a");
  EXPECT_EQ(abi[1].flags, NIDS_CLASS_RETIRED);
  EXPECT_EQ(abi[2].flags, 0);
  EXPECT_EQ(abi_ports(next.classes)->tcp[22], 2);
  const ClassRules rules = class_rules(default_config(), next.classes);
  EXPECT_EQ(rules.names[1], "a");
  EXPECT_FALSE(rules.flagged[1].is_flagged);
  EXPECT_TRUE(rules.flagged[2].is_flagged);
}

TEST(ClassMessage, CarriesTheClassesWithoutPorts) {
  auto wanted = builtin_classes();
  wanted.erase(wanted.begin());
  PlacedClasses sent = placed(indexes_in_order(builtin_classes()), wanted);
  sent.reused.set(5);
  const auto got = decode_classes(encode_classes(sent));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->reused, sent.reused);
  for (IndexedClass& one : sent.classes) one.rule.ports.clear();
  EXPECT_EQ(got->classes, sent.classes);
}

TEST(ClassMessage, InvalidMessagesAreRefused) {
  const auto sound = encode_classes({.classes = indexes_in_order(classes({"a"})), .reused = {}});
  EXPECT_EQ(sound.size(), kClassMessageBytes);
  EXPECT_TRUE(decode_classes(sound));
  EXPECT_FALSE(decode_classes({}));
  EXPECT_FALSE(decode_classes(std::span(sound).first(sound.size() - 1)));
  const auto changed = [&](std::size_t at, unsigned char value) {
    auto bytes = sound;
    bytes[at] = static_cast<std::byte>(value);
    return decode_classes(bytes).has_value();
  };
  EXPECT_FALSE(changed(28, NIDS_INTEREST_KINDS));
  EXPECT_FALSE(changed(29, 0)) << "severity";
  EXPECT_FALSE(changed(29, 4));
  auto endless = sound;
  std::fill_n(endless.begin(), NIDS_CLASS_NAME_MAX, std::byte{'x'});
  EXPECT_FALSE(decode_classes(endless));
}

}  // namespace
}  // namespace nids
