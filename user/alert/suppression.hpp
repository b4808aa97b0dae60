// SPDX-License-Identifier: Apache-2.0
// Says whether an alert is news or a repetition. Reads no clock and writes nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <unordered_map>

#include "alert/alert.hpp"
#include "decode/secret_hash.hpp"
#include "net/links.hpp"
#include "nids/abi/config.h"

namespace nids {

class Suppression {
 public:
  struct Limits {
    std::chrono::nanoseconds window = std::chrono::seconds(60);  // 0: everything is admitted
    std::size_t max_entries = 65'536;  // beyond it the oldest goes, and is counted
    // An alert on one interface of a link suppresses the same alert on the others.
    Links links{};
  };

  explicit Suppression(Limits limits);
  Suppression(Suppression&&) = default;  // a copy's index would point into the original

  // False for an alert less than `window` before or after the last admitted one of the same
  // signature, client, server, class, interface or link, VLAN and tunnel.
  [[nodiscard]] bool admit(const Alert& alert);

  // Entries dropped for newer ones while their window was still open: each may let one alert
  // through that would have been suppressed.
  std::uint64_t evictions() const { return evictions_; }
  std::size_t size() const { return index_.size(); }

 private:
  struct Key {
    SignatureId signature_id;
    std::uint32_t ip_version = 0;
    std::uint8_t client[16]{};
    std::uint8_t server[16]{};
    char class_name[NIDS_CLASS_NAME_MAX]{};
    std::uint32_t link = 0;
    std::uint16_t vlan[2]{};
    TunnelEnds tunnel;
    bool operator==(const Key& other) const { return std::memcmp(this, &other, sizeof(Key)) == 0; }
  };

  struct Entry {
    Key key;
    WallTime admitted;
  };

  Key key_of(const Alert& alert) const;
  bool is_open(const Entry& entry, WallTime now) const;
  void make_room(WallTime now);

  Limits limits_;
  std::list<Entry> oldest_first_;
  std::unordered_map<Key, std::list<Entry>::iterator, SecretHash<Key>> index_;
  std::uint64_t evictions_ = 0;
};

}  // namespace nids
