// SPDX-License-Identifier: Apache-2.0
// Reads IPFIX messages by RFC 7011 alone: knows no template but those it was sent, and shares
// nothing with the encoder. Each contradiction is a failure of the test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace nids {

struct IpfixElement {
  std::uint16_t id = 0;
  std::uint32_t enterprise = 0;  // 0: IANA's
  auto operator<=>(const IpfixElement&) const = default;
};

struct IpfixRecord {
  std::uint16_t template_id = 0;
  std::map<IpfixElement, std::vector<std::uint8_t>> values;

  std::uint64_t number(std::uint16_t id, std::uint32_t enterprise = 0) const {
    std::uint64_t sum = 0;
    for (const std::uint8_t byte : bytes(id, enterprise)) sum = sum << 8 | byte;
    return sum;
  }
  std::vector<std::uint8_t> bytes(std::uint16_t id, std::uint32_t enterprise = 0) const {
    const auto found = values.find({id, enterprise});
    if (found != values.end()) return found->second;
    ADD_FAILURE() << "no element " << enterprise << '/' << id;
    return {};
  }
};

struct IpfixMessage {
  std::uint32_t export_seconds = 0, sequence = 0, domain = 0;
  std::vector<std::uint16_t> set_ids;  // in order
  std::size_t templates = 0;
  std::vector<IpfixRecord> records;
};

class IpfixDecoder {
 public:
  // Section 3.1: a header of 16 bytes, then sets that fill the length.
  IpfixMessage decode(std::span<const std::byte> bytes) {
    IpfixMessage message;
    Reader in{bytes};
    EXPECT_EQ(in.take(2), 10u) << "version";
    EXPECT_EQ(in.take(2), bytes.size()) << "length";
    message.export_seconds = static_cast<std::uint32_t>(in.take(4));
    message.sequence = static_cast<std::uint32_t>(in.take(4));
    message.domain = static_cast<std::uint32_t>(in.take(4));
    while (!in.rest.empty() && !::testing::Test::HasFailure()) decode_set(in, message);
    return message;
  }

 private:
  struct Reader {
    std::span<const std::byte> rest;

    std::span<const std::byte> part(std::size_t size) {
      EXPECT_LE(size, rest.size()) << "truncated";
      const auto taken = rest.first(std::min(size, rest.size()));
      rest = rest.subspan(taken.size());
      return taken;
    }
    std::uint64_t take(std::size_t size) {
      std::uint64_t value = 0;
      for (const std::byte byte : part(size)) value = value << 8 | std::to_integer<unsigned>(byte);
      return value;
    }
  };

  struct Field {
    IpfixElement element;
    std::size_t bytes;
  };

  // Section 3.3.2: the length counts the header of the set too.
  void decode_set(Reader& in, IpfixMessage& message) {
    const auto id = static_cast<std::uint16_t>(in.take(2));
    const std::size_t length = in.take(2);
    ASSERT_GT(length, 4u) << "an empty set";
    Reader body{in.part(length - 4)};
    message.set_ids.push_back(id);
    if (id == 2) return decode_templates(body, message);
    ASSERT_GE(id, 256u) << "reserved";
    ASSERT_TRUE(templates_.contains(id)) << "data before its template";
    while (!body.rest.empty() && !::testing::Test::HasFailure())
      message.records.push_back(decode_record(body, id));
  }

  // Sections 3.2 and 3.4.1.
  void decode_templates(Reader& body, IpfixMessage& message) {
    while (!body.rest.empty() && !::testing::Test::HasFailure()) {
      const auto id = static_cast<std::uint16_t>(body.take(2));
      EXPECT_GE(id, 256u);
      std::vector<Field> fields(body.take(2));
      for (Field& field : fields) {
        const auto number = static_cast<std::uint16_t>(body.take(2));
        field.element.id = number & 0x7fff;
        field.bytes = body.take(2);
        EXPECT_NE(field.bytes, 0xffffu) << "none of ours has a length of its own";
        if ((number & 0x8000) != 0)
          field.element.enterprise = static_cast<std::uint32_t>(body.take(4));
      }
      templates_[id] = std::move(fields);
      ++message.templates;
    }
  }

  IpfixRecord decode_record(Reader& body, std::uint16_t id) {
    IpfixRecord record{id, {}};
    for (const Field& field : templates_.at(id)) {
      std::vector<std::uint8_t> value;
      for (const std::byte byte : body.part(field.bytes))
        value.push_back(std::to_integer<std::uint8_t>(byte));
      EXPECT_TRUE(record.values.emplace(field.element, std::move(value)).second) << "twice";
    }
    return record;
  }

  std::map<std::uint16_t, std::vector<Field>> templates_;
};

}  // namespace nids
