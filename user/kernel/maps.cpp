// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "kernel/class_tables.hpp"
#include "kernel/ring_content.hpp"
#include "nids/live.hpp"
#include "nids/sum.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kFirst = 0;
constexpr std::size_t kLongestValue = 4096;  // bytes, of nids_info and nids_agent of any version

template <class T>
Result<T> lookup(int fd, std::uint32_t key, const char* name) {
  T value{};
  if (fd < 0) return Error{.action = std::string("read map ") + name, .error_number = ENOENT};
  if (bpf_map_lookup_elem(fd, &key, &value) != 0)
    return Error{.action = std::string("read map ") + name, .error_number = errno};
  return value;
}

// The same of a value that another version may have made longer: only the beginning is taken.
template <class T>
Result<T> lookup_beginning(int fd, std::uint32_t key, const char* name) {
  auto whole = lookup<std::array<std::byte, kLongestValue>>(fd, key, name);
  if (!whole) return whole.error();
  T value{};
  std::memcpy(&value, whole->data(), sizeof(value));
  return value;
}

constexpr std::size_t kCounterWords = sizeof(nids_counters) / sizeof(std::uint64_t);

// Copies word by word in order, because others write meanwhile.
template <class T>
void copy_words(const T& shared, T& copy) {
  std::array<std::uint64_t, sizeof(T) / sizeof(std::uint64_t)> words;
  const auto* from = reinterpret_cast<const std::uint64_t*>(&shared);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  std::memcpy(&copy, words.data(), sizeof(copy));
}

// Returns whether no packet was under way from before the copy until after it: the CPU raises
// `started` first of all and `finished` last.
bool copy_block(const nids_counters& shared, nids_counters& copy) {
  const std::uint64_t finished = __atomic_load_n(&shared.finished, __ATOMIC_ACQUIRE);
  copy_words(shared, copy);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return __atomic_load_n(&shared.started, __ATOMIC_RELAXED) == finished;
}

// A packet takes under a microsecond, and so does a copy, which must fall between two. A CPU that
// is never found between two is at its limit, and the last copy stands.
nids_counters read_block(const nids_counters& shared) {
  constexpr int kTries = 10'000;
  nids_counters copy;
  for (int tries = 0; tries < kTries && !copy_block(shared, copy); ++tries) {
  }
  return copy;
}

// Packets that a CPU had counted to the end, or nothing while it is at one.
std::optional<std::uint64_t> packets_done(const nids_counters& block) {
  if (block.started != block.finished) return std::nullopt;
  return block.finished;
}

// The same by system call, which copies in no order that the kernel promises: a copy is whole where
// the ones before and after it tell of the same number of packets, all of them done. Slower, so
// that a busy CPU is less often found.
Result<nids_counters> read_block(int fd, std::uint32_t cpu) {
  auto before = lookup<nids_counters>(fd, cpu, "nids_counters");
  for (int tries = 0; before && tries < 1000; ++tries) {
    auto block = lookup<nids_counters>(fd, cpu, "nids_counters");
    auto after = lookup<nids_counters>(fd, cpu, "nids_counters");
    if (!block || !after) return after;
    const auto done = packets_done(*before);
    if (done && packets_done(*after) == done) return block;
    before = std::move(after);
  }
  return before;
}

// False where the table can't be mapped.
template <class Set>
bool add_live_of(int map, std::size_t sets, nids_sum& live) {
  const MappedArray<const Set> table(map, sets);
  add_live(live, table.values());
  return static_cast<bool>(table);
}

constexpr auto kRingsMayMove = std::chrono::milliseconds(100);
constexpr auto kRingsRest = std::chrono::microseconds(500);
// A record that the agent has counted and not yet let go of looks like one too many for some
// nanoseconds; what is found as often as this is so.
constexpr int kUnaccountedReadings = 5;

using Positions = std::vector<RingContent::Positions>;

Positions positions_of(const std::vector<RingContent>& rings) {
  Positions positions;
  for (const RingContent& ring : rings) positions.push_back(ring.positions());
  return positions;
}

std::optional<nids_sum> pending_in(const std::vector<RingContent>& rings,
                                   const Positions& positions) {
  nids_sum sum{};
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const auto pending = rings[i].between(positions[i]);
    if (!pending) return std::nullopt;
    sum += *pending;
  }
  return sum;
}

Result<std::vector<RingContent>> contents_of(const Maps& maps) {
  auto rings = maps.rings();
  if (!rings) return rings.error();
  std::vector<RingContent> contents;
  for (const Fd& ring : *rings) {
    auto content = RingContent::of(ring.get());
    if (!content) return content.error();
    contents.push_back(std::move(*content));
  }
  return contents;
}

// One reading, with `pending` where no position moved meanwhile and no packet was under way when
// its CPU was read: then each record that is counted as offered was there before and after.
Result<KernelReading> read_still(const Maps& maps, const std::vector<RingContent>& rings) {
  const Positions before = positions_of(rings);
  auto reading = maps.read();
  if (!reading || reading->counters.started != reading->counters.finished) return reading;
  const auto pending = pending_in(rings, before);
  const auto agent = maps.agent();
  if (!agent || positions_of(rings) != before ||
      agent->consumed.packets != reading->agent.consumed.packets)
    return reading;
  reading->pending = pending;
  return reading;
}

nids_sum records_found(const nids_counters& counters, const nids_agent_counters& agent,
                       const nids_sum& pending) {
  return plus(plus(agent.consumed, ring_lost(counters)), pending);
}

}  // namespace

std::optional<bool> are_records_accounted(const nids_counters& counters,
                                          const nids_agent_counters& agent,
                                          const std::optional<nids_sum>& pending) {
  if (!pending) return std::nullopt;
  const nids_sum found = records_found(counters, agent, *pending);
  return found.packets == counters.ring_offered.packets &&
         found.bytes == counters.ring_offered.bytes;
}

const std::vector<std::string>& Maps::public_names() {
  static const std::vector<std::string> names{"nids_info", "nids_counters", "nids_agent",
                                              "nids_classes", kClassTableMap};
  return names;
}

std::string Maps::pin_name(std::string map) {
  std::ranges::replace(map, '.', '_');
  return map;
}

Result<Maps> Maps::of_program(std::uint32_t program_id) {
  const std::string action = "read BPF program " + std::to_string(program_id);
  const Fd program{bpf_prog_get_fd_by_id(program_id)};
  if (!program) return Error{.action = action, .error_number = errno};
  std::array<std::uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0)
    return Error{.action = action, .error_number = errno};
  Maps maps;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(info.nr_map_ids, ids.size()); ++i) {
    Fd map{bpf_map_get_fd_by_id(ids[i])};
    if (!map) return Error{.action = action, .error_number = errno};
    bpf_map_info map_info{};
    size = sizeof(map_info);
    if (bpf_obj_get_info_by_fd(map.get(), &map_info, &size) == 0)
      maps.fds_.insert_or_assign(map_info.name, std::move(map));
  }
  return maps;
}

Result<Maps> Maps::of_object(const bpf_object* object) {
  Maps maps;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!bpf_map__autocreate(map)) continue;
    Fd copy{fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3)};
    if (!copy)
      return Error{.action = std::string("use map ") + bpf_map__name(map), .error_number = errno};
    maps.fds_.insert_or_assign(bpf_map__name(map), std::move(copy));
  }
  return maps;
}

Result<Maps> Maps::pinned(const std::string& directory) {
  Maps maps;
  struct bpf_obj_get_opts options {};  // the function has the same name
  options.sz = sizeof(options);
  options.file_flags = BPF_F_RDONLY;
  for (const std::string& name : public_names()) {
    const std::string path = directory + "/" + pin_name(name);
    Fd map{bpf_obj_get_opts(path.c_str(), &options)};
    if (!map) return Error{.action = "open pinned map " + path, .error_number = errno};
    maps.fds_.emplace(name, std::move(map));
  }
  return maps;
}

int Maps::fd(const std::string& name) const {
  const auto found = fds_.find(name);
  return found == fds_.end() ? -1 : found->second.get();
}

void Maps::keep_only(const std::vector<std::string>& names) {
  std::erase_if(fds_, [&](const auto& entry) {
    return std::ranges::find(names, entry.first) == names.end();
  });
}

bool Maps::are_ours() const {
  // Another version's value may be longer: read into room for any.
  std::array<std::byte, kLongestValue> value{};
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  const int map = fd("nids_info");
  if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size) != 0) return false;
  if (info.value_size > value.size() || info.value_size < sizeof(std::uint64_t)) return false;
  if (bpf_map_lookup_elem(map, &kFirst, value.data()) != 0) return false;
  std::uint64_t magic = 0;
  std::memcpy(&magic, value.data(), sizeof(magic));
  return magic == NIDS_MAGIC;
}

bool Maps::fit() const {
  const auto value_size = [&](const char* name) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    const int map = fd(name);
    return map >= 0 && bpf_obj_get_info_by_fd(map, &info, &size) == 0 ? info.value_size : 0u;
  };
  if (!are_ours() || value_size("nids_info") != sizeof(nids_info)) return false;
  if (value_size("nids_counters") != sizeof(nids_counters)) return false;
  if (value_size("nids_agent") != sizeof(nids_agent_counters)) return false;
  if (value_size("nids_classes") != sizeof(nids_class) * NIDS_CLASS_MAX) return false;
  const auto known = info();
  return known && known->abi_version == NIDS_ABI_VERSION;
}

Result<nids_info> Maps::info() const {
  return lookup_beginning<nids_info>(fd("nids_info"), kFirst, "nids_info");
}

Result<nids_agent_counters> Maps::agent() const {
  const auto block = [&](std::uint32_t index) {
    return lookup_beginning<nids_agent_counters>(fd("nids_agent"), index, "nids_agent");
  };
  auto sum = block(0);
  const auto known = info();
  if (!sum || !known || known->abi_version != NIDS_ABI_VERSION) return sum;
  for (std::uint32_t worker = 0; worker < known->rings; ++worker) {
    const auto more = block(1 + worker);
    if (!more) return more;
    add_agent_block(*sum, *more);
  }
  return sum;
}

Result<nids_hash_keys_value> Maps::hash_keys() const {
  return lookup<nids_hash_keys_value>(fd("nids_keys"), kFirst, "nids_keys");
}

Result<void> Maps::request_detach() const {
  const Mapped<nids_agent_counters> agent{fd("nids_agent")};
  if (!agent) return Error{.action = "write map nids_agent", .error_number = errno};
  __atomic_store_n(&agent->detach_requested, 1, __ATOMIC_RELEASE);
  return {};
}

Result<KernelReading> Maps::read() const {
  KernelReading reading;
  auto info_value = info();
  if (!info_value) return info_value.error();
  reading.info = *info_value;
  // The kernel maps none that was opened to be read only, as pinned ones are.
  const MappedArray<const nids_counters> blocks(fd("nids_counters"), reading.info.cpus);
  if (blocks) reading.counters = read_counters(blocks.values());
  for (std::uint32_t cpu = 0; !blocks && cpu < reading.info.cpus; ++cpu) {
    auto block = read_block(fd("nids_counters"), cpu);
    if (!block) return block.error();
    add_counters(reading.counters, *block);
  }
  auto agent_value = agent();
  if (!agent_value) return agent_value.error();
  reading.agent = *agent_value;
  auto classes = read_classes(*this);
  if (!classes) return classes.error();
  reading.classes = std::move(*classes);
  return reading;
}

Result<KernelReading> Maps::read_with_rings() const {
  const auto rings = contents_of(*this);
  if (!rings) return read();  // only root may open them
  const auto deadline = std::chrono::steady_clock::now() + kRingsMayMove;
  for (int unaccounted = 0;;) {
    auto reading = read_still(*this, *rings);
    if (!reading) return reading;
    const auto is_whole =
        are_records_accounted(reading->counters, reading->agent, reading->pending);
    if (is_whole && (*is_whole || ++unaccounted == kUnaccountedReadings)) return reading;
    if (std::chrono::steady_clock::now() > deadline) {
      reading->pending.reset();
      return reading;
    }
    std::this_thread::sleep_for(kRingsRest);
  }
}

void Maps::uncount_records_to_be_taken_again() const {
  const auto reading = read_with_rings();
  if (!reading || !reading->pending) return;
  const nids_sum found = records_found(reading->counters, reading->agent, *reading->pending);
  const nids_sum offered = reading->counters.ring_offered;
  const nids_sum twice{found.packets - offered.packets, found.bytes - offered.bytes};
  const std::uint32_t rings = reading->info.rings;
  if (found.packets <= offered.packets || found.bytes <= offered.bytes || twice.packets > rings)
    return;
  // It is not known which worker counted a record twice. Only the sum matters, so the largest block
  // is corrected.
  const MappedArray<nids_agent_counters> blocks{fd("nids_agent"), std::size_t{rings} + 1};
  if (!blocks) return;
  const auto values = blocks.values();
  std::ranges::max_element(values, {}, [](const nids_agent_counters& one) {
    return one.consumed.packets;
  })->consumed -= twice;
}

std::optional<nids_sum> Maps::live_by_scan() const {
  const auto known = info();
  if (!known) return std::nullopt;
  nids_sum live{};
  const bool is_whole =
      add_live_of<nids_flow4_set>(fd("nids_flows4"), known->cpus * known->sets4_per_cpu, live) &&
      add_live_of<nids_flow6_set>(fd("nids_flows6"), known->cpus * known->sets6_per_cpu, live);
  return is_whole ? std::optional(live) : std::nullopt;
}

Result<std::vector<Fd>> Maps::rings() const {
  const auto known = info();
  if (!known) return known.error();
  std::vector<Fd> rings;
  for (std::uint32_t i = 0; i < known->rings; ++i) {
    const auto id = lookup<std::uint32_t>(fd("nids_rings"), i, "nids_rings");
    if (!id) return id.error();
    rings.emplace_back(bpf_map_get_fd_by_id(*id));
    if (!rings.back()) return Error{.action = "open a ring buffer", .error_number = errno};
  }
  return rings;
}

Result<void> write_value(int fd, const void* value, const std::string& map) {
  if (bpf_map_update_elem(fd, &kFirst, value, BPF_ANY) != 0)
    return Error{.action = "write map " + map, .error_number = errno};
  return {};
}

nids_counters read_counters(std::span<const nids_counters> blocks) {
  nids_counters sum{};
  for (const nids_counters& block : blocks) add_counters(sum, read_block(block));
  return sum;
}

nids_agent_counters read_counters(std::span<const nids_agent_counters> blocks) {
  nids_agent_counters sum{};
  if (blocks.empty()) return sum;
  copy_words(blocks.front(), sum);
  for (const nids_agent_counters& shared : blocks.subspan(1)) {
    nids_agent_counters copy;
    copy_words(shared, copy);
    add_agent_block(sum, copy);
  }
  return sum;
}

void add_counters(nids_counters& sum, const nids_counters& block) {
  // The struct is 64-bit counters throughout; counters.h asserts its size.
  std::array<std::uint64_t, kCounterWords> left, right;
  std::memcpy(left.data(), &sum, sizeof(sum));
  std::memcpy(right.data(), &block, sizeof(block));
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  std::memcpy(&sum, left.data(), sizeof(sum));
}

void add_agent_block(nids_agent_counters& sum, const nids_agent_counters& block) {
  const nids_agent_counters first = sum;
  std::array<std::uint64_t, sizeof(sum) / sizeof(std::uint64_t)> left, right;
  std::memcpy(left.data(), &sum, sizeof(sum));
  std::memcpy(right.data(), &block, sizeof(block));
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  std::memcpy(&sum, left.data(), sizeof(sum));
  for (const auto field :
       {&nids_agent_counters::pid, &nids_agent_counters::pid_start_ticks,
        &nids_agent_counters::detach_requested, &nids_agent_counters::degraded,
        &nids_agent_counters::store_oldest_wall_ns, &nids_agent_counters::pid_namespace,
        &nids_agent_counters::reader_pid, &nids_agent_counters::reader_start_ticks,
        &nids_agent_counters::heartbeat_ns, &nids_agent_counters::confinement,
        &nids_agent_counters::ring_lost_noted, &nids_agent_counters::ring_lost_ns})
    sum.*field = first.*field;
  sum.sweep_ns = std::max(first.sweep_ns, block.sweep_ns);
}

}  // namespace nids
