// SPDX-License-Identifier: Apache-2.0
// The maps of an attached program, by name, and consistent readings of them. Attaches nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/abi/event.h"
#include "nids/result.hpp"

struct bpf_object;

namespace nids {

// The map with the index of the entry of nids_classes and nids_ports that is in use.
inline constexpr const char* kClassTableMap = ".data.classes";

// What `stats` shows of one interface, read at one moment.
struct KernelReading {
  nids_info info{};
  nids_counters counters{};  // added up over all CPUs, each CPU's block consistent in itself
  nids_agent_counters agent{};
  std::vector<nids_class> classes;  // NIDS_CLASS_MAX of them
  // What the rings held at the moment of the counters; nothing where that can't be told.
  std::optional<nids_sum> pending{};
};

// Whether each record that was offered to the rings was taken, was lost or is still there, in
// records and in bytes. Nothing where what is there can't be told.
std::optional<bool> are_records_accounted(const nids_counters& counters,
                                          const nids_agent_counters& agent,
                                          const std::optional<nids_sum>& pending);

class Maps {
 public:
  // The maps that the program holds, those bound to it included.
  [[nodiscard]] static Result<Maps> of_program(std::uint32_t program_id);
  // Those of a loaded object.
  [[nodiscard]] static Result<Maps> of_object(const bpf_object* object);
  // Those pinned in a directory; read only.
  [[nodiscard]] static Result<Maps> pinned(const std::string& directory);

  // Whether the program is ours: its nids_info has our magic, whatever its version.
  bool are_ours() const;
  // Ours, and of this build's layouts.
  bool fit() const;

  [[nodiscard]] Result<nids_info> info() const;
  // The sum of all blocks of the agent, see add_agent_block(). Only block 0 if the maps have
  // another version.
  [[nodiscard]] Result<nids_agent_counters> agent() const;
  // Needs root.
  [[nodiscard]] Result<nids_hash_keys_value> hash_keys() const;
  [[nodiscard]] Result<void> request_detach() const;
  [[nodiscard]] Result<KernelReading> read() const;
  // The same with `pending`, where this process may open the rings, and they stand still for as
  // long as a reading takes: it tries for a tenth of a second.
  [[nodiscard]] Result<KernelReading> read_with_rings() const;
  // Corrects `consumed` after an agent was killed between counting a record and releasing it: the
  // next agent takes that record again. Corrects at most one record for each ring. Call it only
  // while no agent reads.
  void uncount_records_to_be_taken_again() const;
  // Packets and bytes in the slots, added up by scanning; nothing where the table can't be
  // mapped, as for readers without privileges.
  std::optional<nids_sum> live_by_scan() const;

  // The ring buffers, one a worker; needs root.
  [[nodiscard]] Result<std::vector<Fd>> rings() const;

  int fd(const std::string& name) const;  // -1 where there is none
  // Closes all others: what the agent does not need it should not hold.
  void keep_only(const std::vector<std::string>& names);
  // What readers without root may have: counters, never flow tables, never the seed.
  static const std::vector<std::string>& public_names();
  // The name of the map's pin. A bpffs allows no dots in a name.
  static std::string pin_name(std::string map);

 private:
  std::map<std::string, Fd> fds_;
};

// The configuration's part of the maps, for a new program or a running one.
[[nodiscard]] Result<void> write_value(int fd, const void* value, const std::string& map);

// Both read mapped memory while others write it, and add up all blocks. The block of a CPU is read
// consistently, an agent's block field by field.
nids_counters read_counters(std::span<const nids_counters> blocks);
nids_agent_counters read_counters(std::span<const nids_agent_counters> blocks);

// Field by field; `started` and `finished` included.
void add_counters(nids_counters& sum, const nids_counters& block);

// Adds the block of a worker to block 0. `sweep_ns` becomes the larger of the two. Identity, times
// and flags of block 0 stay.
void add_agent_block(nids_agent_counters& sum, const nids_agent_counters& block);

}  // namespace nids
