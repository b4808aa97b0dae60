// SPDX-License-Identifier: Apache-2.0
// Zeek's 13 states of a connection and the history of each, by construction: from the order that
// all CPUs share, and from the events alone, where that order is forgotten.
#include "flow/conn_state.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "nids/abi/flow.h"

namespace nids {
namespace {

constexpr std::string_view kLetters = "SHADFR";

// A connection as its history has it: capital letters are the client's.
struct Seen {
  std::uint64_t history = 0;
  std::uint16_t events = 0;
};

Seen seen_of(std::string_view letters, bool client_is_hi) {
  Seen seen;
  unsigned shift = 0;
  for (const char letter : letters) {
    const bool by_client = letter < 'a';
    const auto number = kLetters.find(by_client ? letter : static_cast<char>(letter - 'a' + 'A'));
    EXPECT_NE(number, kLetters.npos) << letter;
    const bool by_hi = by_client == client_is_hi;
    const std::uint64_t bit = number + (by_hi ? NIDS_EVENTS_PER_SENDER : 0);
    seen.events |= static_cast<std::uint16_t>(1u << bit);
    seen.history |= (bit + 1) << shift;
    shift += NIDS_HISTORY_EVENT_BITS;
  }
  return seen;
}

std::vector<FlowEvent> ordered(std::string_view letters, bool client_is_hi = false) {
  const Seen seen = seen_of(letters, client_is_hi);
  return flow_events(seen.history, seen.events, client_is_hi);
}

std::vector<FlowEvent> unordered(std::string_view letters, bool client_is_hi = false) {
  return flow_events(0, seen_of(letters, client_is_hi).events, client_is_hi);
}

std::string state_of(const std::vector<FlowEvent>& events) {
  return name_of(tcp_conn_state(events));
}

struct Case {
  const char* letters;
  const char* state;
  const char* history;                // in order
  const char* usual;                  // from the events alone
  const char* usual_state = nullptr;  // where it is another one
};

void expect_all(std::initializer_list<Case> cases) {
  for (const Case& one : cases)
    for (const bool client_is_hi : {false, true}) {
      const auto in_order = ordered(one.letters, client_is_hi);
      const auto alone = unordered(one.letters, client_is_hi);
      EXPECT_EQ(history_text(in_order), one.history);
      EXPECT_EQ(state_of(in_order), one.state) << one.letters;
      EXPECT_EQ(history_text(alone), one.usual);
      EXPECT_EQ(state_of(alone), one.usual_state ? one.usual_state : one.state)
          << one.letters << " by its events alone";
    }
}

TEST(ConnState, EachOfTheThirteenIsToldByOrderAndByEventsAlone) {
  expect_all({
      {"S", "S0", "S", "S"},
      {"ShA", "S1", "ShA", "ShA"},
      {"ShADadFf", "SF", "ShADadFf", "ShADadFf"},
      {"Sr", "REJ", "Sr", "Sr"},
      {"ShADadF", "S2", "ShADadF", "ShADadF"},
      {"ShADadf", "S3", "ShADadf", "ShADadf"},
      {"ShADadR", "RSTO", "ShADadR", "ShADadR"},
      {"ShADadr", "RSTR", "ShADadr", "ShADadr"},
      {"SR", "RSTOS0", "SR", "SR"},
      {"hr", "RSTRH", "^hr", "^hr"},
      {"SF", "SH", "SF", "SF"},
      {"hf", "SHR", "^hf", "^hf"},
      {"Dd", "OTH", "Dd", "Dd"},
  });
}

TEST(ConnState, WhatEndsInTheMiddleOfAHandshakeHasZeeksNames) {
  expect_all({
      {"Sh", "S1", "Sh", "Sh"},       // the answer alone makes both ends established
      {"ShR", "RSTO", "ShR", "ShR"},  // a SYN scan
      {"Shr", "RSTR", "Shr", "Shr"},
      {"SAr", "REJ", "SAr", "SAr"},
      {"Sa", "S0", "Sa", "Sa"},         // an ACK of something else is no answer
      {"SaR", "RSTOS0", "SaR", "SaR"},  // and a RST to it no refusal
      {"A", "OTH", "A", "A"},
      {"D", "OTH", "D", "D"},
      {"R", "RSTOS0", "R", "R"},
      {"F", "SH", "F", "F"},
      {"h", "OTH", "^h", "^h"},
      {"r", "RSTRH", "^r", "^r"},
      {"f", "SHR", "^f", "^f"},
      {"d", "OTH", "^d", "^d"},
      {"", "OTH", "", ""},
  });
}

TEST(ConnState, OrderTellsWhatEventsAloneCanNot) {
  expect_all({
      {"dD", "OTH", "^dD", "Dd"},                  // who was first
      {"hS", "OTH", "^hS", "Sh", "S1"},            // by the order the client's SYN comes too late
      {"ShADadfF", "SF", "ShADadfF", "ShADadFf"},  // who closed first
  });
}

TEST(ConnState, ARstBehindBothFinsIsAnOrdinaryEnd) {
  expect_all({{"ShADadFfR", "SF", "ShADadFfR", "ShADadFfR"},
              {"ShADadFfr", "SF", "ShADadFfr", "ShADadFfr"},
              {"ShADadFfRr", "SF", "ShADadFfRr", "ShADadFfRr"}});
}

TEST(ConnState, AFinThenARstIsAnOrdinaryEndOnceThePeerClosesToo) {
  EXPECT_EQ(state_of(ordered("ShADadFR")), "RSTO");
  EXPECT_EQ(state_of(ordered("ShADadFRf")), "SF");
  EXPECT_EQ(state_of(ordered("ShADadfr")), "RSTR");
  EXPECT_EQ(state_of(ordered("ShADadfrF")), "SF");
}

TEST(ConnState, ARstWithoutAFinIsNoOrdinaryEndWhateverFollows) {
  EXPECT_EQ(state_of(ordered("ShADadRf")), "RSTO");
  EXPECT_EQ(state_of(ordered("ShADadrF")), "RSTR");
  EXPECT_EQ(state_of(ordered("ShADadRr")), "RSTR");
}

TEST(ConnState, EveryOrderOfEveryEventHasAStateAndAHistoryWithEachLetterOnce) {
  for (std::uint32_t events = 0; events < 1u << 2 * NIDS_EVENTS_PER_SENDER; ++events)
    for (const bool client_is_hi : {false, true}) {
      const auto alone = flow_events(0, static_cast<std::uint16_t>(events), client_is_hi);
      EXPECT_EQ(alone.size(), static_cast<std::size_t>(__builtin_popcount(events)));
      EXPECT_NE(state_of(alone), "");
    }
}

TEST(ConnState, EventsThatTheOrderLacksComeLast) {
  const Seen all = seen_of("ShADadFf", false);
  const Seen some = seen_of("Sh", false);
  EXPECT_EQ(history_text(flow_events(some.history, all.events, false)), "ShADadFf");
  const Seen ends = seen_of("Ff", false);
  EXPECT_EQ(history_text(flow_events(ends.history, all.events, false)), "FfShADad");
}

TEST(ConnState, AnOrderWithNonsenseInItIsReadAsFarAsItMakesSense) {
  EXPECT_EQ(history_text(flow_events(0xfffffffffffff, 0, false)), "");
  EXPECT_EQ(history_text(flow_events(0x11111111111, 0, false)), "S") << "each event once";
  EXPECT_EQ(history_text(flow_events(0x20e1, 0, false)), "S") << "a gap ends it";
}

TEST(ConnState, OfDatagramsIsWhoSentAnything) {
  EXPECT_STREQ(name_of(udp_conn_state(true, false)), "S0");
  EXPECT_STREQ(name_of(udp_conn_state(true, true)), "SF");
  EXPECT_STREQ(name_of(udp_conn_state(false, true)), "SHR");
  EXPECT_STREQ(name_of(udp_conn_state(false, false)), "OTH");
}

TEST(ConnState, TcpStateFollowsEachStepOfAConnection) {
  const std::pair<const char*, const char*> steps[] = {
      {"", "none"},
      {"S", "syn_sent"},
      {"Sh", "syn_recv"},
      {"h", "syn_recv"},
      {"ShA", "established"},
      {"ShAD", "established"},
      {"ShADad", "established"},
      {"d", "established"},
      {"a", "established"},
      {"ShADadF", "fin_wait1"},
      {"ShADadf", "close_wait"},
      {"ShADadFf", "time_wait"},
      {"ShADadfF", "time_wait"},
      {"ShADadFfR", "closed"},
      {"ShADadr", "closed"},
      {"Sr", "closed"},
      {"SR", "closed"},
  };
  for (const auto& [letters, state] : steps) {
    EXPECT_STREQ(name_of(tcp_state(ordered(letters))), state) << letters;
    EXPECT_STREQ(name_of(tcp_state(unordered(letters, true))), state) << letters;
  }
}

}  // namespace
}  // namespace nids
