// SPDX-License-Identifier: Apache-2.0
// Names of addresses, asked for in the background and remembered. Never makes its caller wait, not
// even at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace nids {

class Resolver {
 public:
  struct Limits {
    std::size_t max_names = 4096;   // remembered, found or not; beyond it the oldest goes
    std::size_t max_waiting = 256;  // asked for; beyond it nothing is, until there is room
  };
  // The address's name, empty where it has none. Called by a thread of the resolver's own, one
  // call at a time, and may take its time.
  using LookUp =
      std::function<std::string(const std::uint8_t (&address)[16], std::uint8_t version)>;

  // Asks what the system asks: /etc/hosts, name servers.
  Resolver() : Resolver(Limits{}, system_look_up()) {}
  Resolver(Limits limits, LookUp look_up);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // Waits for nothing: a look-up under way ends by itself, and its answer is dropped.
  ~Resolver();

  // The name, safe to print, if it is known by now; else nothing, and it is asked for.
  std::optional<std::string> name_of(const std::uint8_t (&address)[16], std::uint8_t ip_version);

 private:
  struct Shared;
  static LookUp system_look_up();
  static void answer(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

}  // namespace nids
