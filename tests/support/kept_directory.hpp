// SPDX-License-Identifier: Apache-2.0
// A directory of kept packets with its index, as an agent would leave it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "retain/comments.hpp"
#include "retain/index.hpp"
#include "retain/pcapng.hpp"
#include "support/open_index.hpp"
#include "support/packet_builder.hpp"
#include "support/sample_flow.hpp"

namespace nids {

class KeptDirectory {
 public:
  explicit KeptDirectory(const std::string& name)
      : path(std::filesystem::temp_directory_path().string() + "/nids-" + name + "-" +
             std::to_string(getpid())) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~KeptDirectory() { std::filesystem::remove_all(path); }

  static SegmentName name_of(std::uint64_t sequence) {
    return SegmentName::of(kSampleStart, sequence, 0);
  }
  static KeptFlow flow(std::uint64_t id, std::uint16_t client_port = 40'000) {
    return {.id = id,
            .community_id = "1:flow" + std::to_string(id) + "=",
            .ends = sample_ends("10.0.0.2", client_port, "10.0.0.1", 22),
            .class_name = "ssh"};
  }
  static std::vector<std::byte> frame(std::uint16_t client_port, std::size_t payload) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
        .tcp({.src_port = client_port, .dst_port = 22})
        .payload_bytes(payload)
        .bytes();
  }

  // A packet at the end of a segment, so many seconds after kSampleStart. Returns its offset.
  std::uint64_t add(std::uint64_t sequence, const KeptFlow& of, std::uint64_t second,
                    std::vector<std::string> comments = {}) {
    const SegmentName name = name_of(sequence);
    pcapng::Bytes& file = files[name];
    if (file.empty()) {
      pcapng::append_section_header(file, "nids-xdp");
      pcapng::append_interface(file, {.name = "eth0", .link_type = link_type});
    }
    const std::uint64_t offset = file.size();
    const auto data = frame(of.ends.client_port, second);
    const WallTime time{kSampleStart.ns + second * 1'000'000'000};
    pcapng::append_packet(file, {.time = time, .data = data, .comments = std::move(comments)});
    if (of.id == 0) return offset;
    const auto [found, is_new] =
        spans.try_emplace({name, of.id}, FlowSpan{name, of, time, time, 0, {}});
    FlowSpan& span = found->second;
    span.first = std::min(span.first, time);
    span.last = std::max(span.last, time);
    span.bytes += data.size();
    span.offsets.push_back(offset);
    return offset;
  }

  KeptAlert alert(std::uint64_t id, const KeptFlow& of) const {
    return {.id = id,
            .time = kSampleStart,
            .signature_id = {.sid = 1001},
            .severity = 2,
            .signature = "flagged protocol ssh",
            .flow = of,
            .record = R"({"alert": {"timestamp": "2026-11-22T10:00:00.000000+0000",
              "src_ip": "10.0.0.2", "in_iface": "eth0", "alert": {"category": "Flagged protocol",
              "signature": "flagged protocol ssh", "severity": 2,
              "metadata": {"mitre_technique_id": ["T1021.004"]}, "context":
              {"observed": "a connection to tcp/22", "expected": "none of class ssh",
               "threshold": "1 connection"}}}, "flow": {"flow_id": 7, "conn_state": "S1",
              "history": "ShAd", "tcp": {"state": "established"}, "flow": {"pkts_toserver": 12,
              "bytes_toserver": 3400, "pkts_toclient": 10, "bytes_toclient": 2000,
              "state": "established", "age": 3}}})"};
  }

  void write_files() const {
    for (const auto& [name, bytes] : files)
      std::ofstream(path + "/" + name.file(), std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
  }
  void write_index() const {
    auto index = open_index(path, Index::Access::kWrite);
    ASSERT_TRUE(index) << index.error().message();
    for (const auto& [name, bytes] : files) {
      SegmentPiece piece{.segment = name, .end = bytes.size(), .spans = {}, .alerts = {}};
      for (const auto& [key, span] : spans)
        if (key.first == name) piece.spans.push_back(span);
      for (const IndexedAlert& one : alerts)
        if (one.place && one.place->segment == name) piece.alerts.push_back(one);
      ASSERT_TRUE(index->add(piece));
    }
    for (const IndexedAlert& one : alerts) {
      if (one.place) continue;
      ASSERT_TRUE(index->add(one));
    }
    ASSERT_TRUE(index->commit());
  }
  void write() const {
    write_files();
    write_index();
  }

  const std::string path;
  std::uint16_t link_type = 1;
  std::map<SegmentName, pcapng::Bytes> files;
  std::map<std::pair<SegmentName, std::uint64_t>, FlowSpan> spans;
  std::vector<IndexedAlert> alerts;
};

}  // namespace nids
