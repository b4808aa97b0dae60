// SPDX-License-Identifier: Apache-2.0
#include "stall_report.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <span>

namespace nids::bench {
namespace {

using Times = std::vector<std::uint64_t>;  // ns, in order

constexpr std::uint64_t kGoalP99_ns = 2'000'000, kGoalWorst_ns = 10'000'000;
constexpr std::array<std::uint64_t, 9> kBuckets_us{10,    30,    100,    300,   1'000,
                                                   2'000, 5'000, 10'000, 50'000};

std::uint64_t at(const Times& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

std::vector<std::size_t> histogram(const Times& sorted) {
  std::vector<std::size_t> counts(kBuckets_us.size() + 1);
  for (const std::uint64_t ns : sorted)
    ++counts[static_cast<std::size_t>(std::ranges::lower_bound(kBuckets_us, (ns + 999) / 1'000) -
                                      kBuckets_us.begin())];
  return counts;
}

template <class Value, class Wanted>
Times sorted_times(std::span<const Round> rounds, Value value, Wanted wanted) {
  Times times;
  for (const Round& one : rounds)
    if (wanted(one)) times.push_back(one.*value);
  std::ranges::sort(times);
  return times;
}

void print(const char* title, const Times& cpu, const Times& wall) {
  std::printf("\n%s: %zu\n%18s %10s %10s\n", title, cpu.size(), "", "own CPU", "wall");
  const auto of_cpu = histogram(cpu), of_wall = histogram(wall);
  for (std::size_t i = 0; i <= kBuckets_us.size(); ++i) {
    const bool is_last = i == kBuckets_us.size();
    std::printf("%8s %6llu us %10zu %10zu\n", is_last ? "above" : "up to",
                static_cast<unsigned long long>(kBuckets_us[is_last ? i - 1 : i]), of_cpu[i],
                of_wall[i]);
  }
  for (const auto& [name, share] : {std::pair{"p50", 0.5}, {"p99", 0.99}, {"worst", 1.0}})
    std::printf("%15s us %10.1f %10.1f\n", name, static_cast<double>(at(cpu, share)) / 1e3,
                static_cast<double>(at(wall, share)) / 1e3);
}

template <class Wanted>
void print_rounds(const char* title, std::span<const Round> rounds, Wanted wanted) {
  print(title, sorted_times(rounds, &Round::cpu_ns, wanted),
        sorted_times(rounds, &Round::wall_ns, wanted));
}

std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

CpuTimes cpu_times() {
  std::ifstream stat("/proc/stat");
  std::string name;
  stat >> name;
  CpuTimes times;
  for (int i = 0; i < 8; ++i) {  // user to steal; user and nice include the rest
    std::uint64_t ticks = 0;
    stat >> ticks;
    times.all += ticks;
    if (i == 7) times.steal = ticks;
  }
  return times;
}

std::uint64_t rss_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

std::vector<std::uint64_t> machine_noise_ns() {
  Times times;
  const std::uint64_t end = now_ns(CLOCK_MONOTONIC) + 1'000'000'000;
  while (now_ns(CLOCK_MONOTONIC) < end) {
    const std::uint64_t begun = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 100'000; ++i) asm volatile("" : "+r"(i));
    times.push_back(now_ns(CLOCK_THREAD_CPUTIME_ID) - begun);
  }
  return times;
}

void report(const Measured& measured, const std::vector<Round>& rounds, Times noise_ns,
            bool is_frozen) {
  const auto is_pending = [](const Round& one) { return one.has_more && !one.is_filling; };
  print_rounds("rounds with records pending", rounds, is_pending);
  print_rounds("rounds after a drain that left no record", rounds,
               [](const Round& one) { return !one.has_more && !one.is_filling; });
  print_rounds("rounds while the flows were made", rounds,
               [](const Round& one) { return one.is_filling; });
  const Times cpu = sorted_times(rounds, &Round::cpu_ns, is_pending);
  const bool is_met = at(cpu, 0.99) <= kGoalP99_ns && at(cpu, 1) <= kGoalWorst_ns;
  std::printf("\ngoal, own CPU time with records pending: p99 2000 us, worst 10000 us: %s\n",
              is_met ? "met" : "missed");
  std::ranges::sort(noise_ns);
  std::printf(
      "the machine: the same short work took %.0f us (p50), %.0f us (p99), %.0f us (worst)\n",
      static_cast<double>(at(noise_ns, 0.5)) / 1e3, static_cast<double>(at(noise_ns, 0.99)) / 1e3,
      static_cast<double>(at(noise_ns, 1)) / 1e3);
  const double all = static_cast<double>(measured.ended.all - measured.begun.all);
  const double steal = static_cast<double>(measured.ended.steal - measured.begun.steal);
  std::printf("steal: %.1f %% of the time of all CPUs\n", all > 0 ? 100 * steal / all : 0.0);
  std::printf("flows tracked: %llu; answers: %d, of %llu flows at least, after %lld ms at most\n",
              static_cast<unsigned long long>(measured.flows), measured.asked.answers,
              static_cast<unsigned long long>(measured.asked.fewest_flows),
              static_cast<long long>(measured.asked.longest.count()));
  std::printf("records taken: %llu, lost: %llu; disk: %s; RSS of this process: %llu MB\n",
              static_cast<unsigned long long>(measured.consumed),
              static_cast<unsigned long long>(measured.lost.packets),
              is_frozen ? "frozen" : "works",
              static_cast<unsigned long long>(measured.rss_kib * 1024 / 1'000'000));
}

}  // namespace nids::bench
