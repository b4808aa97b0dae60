// SPDX-License-Identifier: Apache-2.0
// What the tests of `alerts` and `pcap` share: a directory of kept packets to ask.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.hpp"
#include "retain/pcapng_reader.hpp"
#include "support/kept_directory.hpp"

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

namespace nids {

class Ask : public ::testing::Test {
 protected:
  // Flow 7 with packets in two segments and an alert, flow 8 between them, and an alert whose
  // packet was not kept.
  void SetUp() override {
    const auto offset = kept.add(1, seven, 1, {"flagged protocol ssh [9000:1001]", "nids-xdp {}"});
    kept.add(1, eight, 2);
    kept.add(1, seven, 3);
    kept.add(2, seven, 5);
    kept.add(2, eight, 4);
    kept.alerts.push_back(
        {kept.alert(1, seven), PacketPlace{KeptDirectory::name_of(1), offset, 1}});
    KeptAlert lost = kept.alert(2, {});
    lost.signature_id.sid = 2001;
    lost.kind = AlertKind::kStatelessFinding;
    lost.severity = 3;
    lost.signature = "LAND\x1b[31m packet";
    lost.record = "no JSON";
    lost.time.ns += 60'000'000'000;
    kept.alerts.push_back({lost, std::nullopt});
    kept.write();
    choice.retain = alerts.retain = kept.path;
  }

  nlohmann::json list() {
    out.str("");
    EXPECT_EQ(run_pcap_list(choice, true, io), kOk) << err.str();
    return Json::parse(out.str());
  }
  nlohmann::json listed_alerts() {
    out.str("");
    alerts.json = true;
    EXPECT_EQ(run_alerts_list(alerts, io), kOk) << err.str();
    return Json::parse(out.str());
  }
  Exit run_export(const std::string& format = "pcapng") {
    return run_pcap_export({.choice = choice, .format = format, .output = file}, io);
  }
  // Seconds of the packets in the file.
  std::vector<std::uint64_t> exported() {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    pcapng::Reader reader(pcapng::read_from(fd));
    std::vector<std::uint64_t> seconds;
    for (;;) {
      const auto packet = reader.next();
      EXPECT_TRUE(packet);
      if (!packet || !*packet) break;
      seconds.push_back(((*packet)->time.ns - kSampleStart.ns) / 1'000'000'000);
    }
    ::close(fd);
    return seconds;
  }
  bool has_leftovers() const {
    return std::ranges::any_of(std::filesystem::directory_iterator(kept.path), [](const auto& one) {
      return one.path().string().ends_with(".part");
    });
  }

  using Json = nlohmann::json;
  using Seconds = std::vector<std::uint64_t>;
  KeptDirectory kept{"ask"};
  const KeptFlow seven = KeptDirectory::flow(7, 40'007), eight = KeptDirectory::flow(8, 40'008);
  const std::string file = kept.path + "/out";
  std::ostringstream out, err;
  Io io{.out = out, .err = err, .paths = {.config = kept.path + "/none.toml"}};
  KeptChoice choice;
  AlertsArguments alerts;
};

}  // namespace nids
