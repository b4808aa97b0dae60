// SPDX-License-Identifier: Apache-2.0
#include "agent/class_message.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace nids {
namespace {

constexpr std::size_t kTechniqueMax = 16;  // bytes with the final NUL

struct Row {
  nids_class of_program;
  std::uint32_t signature_id;
  char technique[kTechniqueMax];
};

struct Message {
  std::array<Row, NIDS_CLASS_MAX> rows;
  std::uint64_t reused;  // a bit for each index
};
static_assert(sizeof(Message) == NIDS_CLASS_MAX * sizeof(Row) + sizeof(std::uint64_t));

template <std::size_t N>
void copy_text(const std::string& text, char (&room)[N]) {
  text.copy(room, N - 1);
}

template <std::size_t N>
bool is_terminated(const char (&text)[N]) {
  return std::find(text, text + N, '\0') != text + N;
}

Row row_of(const IndexedClass& one) {
  Row row{};
  copy_text(one.rule.name, row.of_program.name);
  copy_text(one.rule.technique, row.technique);
  row.of_program.depth_bytes = one.rule.depth_bytes;
  row.of_program.interest = static_cast<std::uint8_t>(one.rule.interest);
  row.of_program.severity = static_cast<std::uint8_t>(one.rule.severity);
  row.of_program.identify_packets = one.rule.identify_packets;
  row.of_program.flags = one.is_retired ? NIDS_CLASS_RETIRED : 0;
  row.signature_id = one.rule.signature_id;
  return row;
}

bool is_sound(const Row& row) {
  const nids_class& one = row.of_program;
  return is_terminated(one.name) && is_terminated(row.technique) &&
         one.interest < NIDS_INTEREST_KINDS && one.severity >= 1 && one.severity <= 3;
}

IndexedClass class_of(const Row& row) {
  IndexedClass one;
  one.rule.name = row.of_program.name;
  one.rule.technique = row.technique;
  one.rule.depth_bytes = row.of_program.depth_bytes;
  one.rule.interest = static_cast<nids_interest>(row.of_program.interest);
  one.rule.severity = row.of_program.severity;
  one.rule.identify_packets = row.of_program.identify_packets;
  one.rule.signature_id = row.signature_id;
  one.is_retired = (row.of_program.flags & NIDS_CLASS_RETIRED) != 0;
  return one;
}

}  // namespace

const std::size_t kClassMessageBytes = sizeof(Message);

std::vector<std::byte> encode_classes(const PlacedClasses& classes) {
  Message message{};
  std::ranges::transform(classes.classes, message.rows.begin(), row_of);
  message.reused = classes.reused.to_ullong();
  std::vector<std::byte> bytes(sizeof(message));
  std::memcpy(bytes.data(), &message, sizeof(message));
  return bytes;
}

std::optional<PlacedClasses> decode_classes(std::span<const std::byte> message) {
  Message read;
  if (message.size() != sizeof(read)) return std::nullopt;
  std::memcpy(&read, message.data(), sizeof(read));
  if (!std::ranges::all_of(read.rows, is_sound)) return std::nullopt;
  PlacedClasses placed{.classes = {}, .reused = ClassSet(read.reused)};
  for (const Row& row : read.rows) placed.classes.push_back(class_of(row));
  return placed;
}

}  // namespace nids
