// SPDX-License-Identifier: Apache-2.0
// nids-bench: arguments, CPUs and files. What is measured stands in cases.cpp.
#include <bpf/libbpf.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "budget.hpp"
#include "cases.hpp"
#include "live_consumer.hpp"
#include "report.hpp"

namespace nids::bench {
namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;
constexpr std::uint32_t kLeastRuns = 7, kQuickRuns = 3, kMostRuns = 1000;
constexpr std::string_view kHelp =
    "usage: tools/bench firstpass [--json FILE] [--runs N] [--quick] [--only NAME]\n"
    "The XDP program in the kernel by BPF_PROG_TEST_RUN, beside the same work on the kernel's own\n"
    "HASH and LRU maps. It measures and does not judge: a missed budget is no failure.\n"
    "  --json FILE  every sample too, as JSON\n"
    "  --runs N     runs that the median is taken of, at least 7 unless --quick (7)\n"
    "  --quick      3 runs of a tenth of the packets: to see that it works\n"
    "  --only NAME  cases whose name begins so: hot record new random random.131072.4x\n";

struct Arguments {
  Settings settings;
  std::string json_file;
  bool wants_help = false;
};

std::optional<std::uint32_t> to_runs(std::string_view text) {
  std::uint32_t runs = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), runs);
  const bool is_number = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  return is_number && runs >= 1 && runs <= kMostRuns ? std::optional(runs) : std::nullopt;
}

// Nothing, and why on standard error, where they can't be understood.
std::optional<Arguments> parse(std::span<char*> words) {
  Arguments all;
  std::optional<std::uint32_t> runs;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool has_value = word == "--json" || word == "--runs" || word == "--only";
    if (has_value && i + 1 == words.size()) {
      std::cerr << "nids-bench: " << word << " needs a value\n";
      return {};
    }
    if (word == "-h" || word == "--help") {
      all.wants_help = true;
    } else if (word == "--quick") {
      all.settings.is_quick = true;
    } else if (word == "--json") {
      all.json_file = words[++i];
    } else if (word == "--only") {
      all.settings.only = words[++i];
    } else if (word == "--runs" && (runs = to_runs(words[++i]))) {
      continue;
    } else if (word == "--runs") {
      std::cerr << "nids-bench: --runs " << words[i] << ": not a number from 1 to " << kMostRuns
                << '\n';
      return {};
    } else if (i != 1 || word != "firstpass") {
      std::cerr << "nids-bench: what is " << word << "? Try --help\n";
      return {};
    }
  }
  all.settings.runs = runs.value_or(all.settings.is_quick ? kQuickRuns : kLeastRuns);
  if (!all.settings.is_quick && all.settings.runs < kLeastRuns) {
    std::cerr << "nids-bench: --runs " << all.settings.runs << ": a median needs " << kLeastRuns
              << " at least; fewer only with --quick\n";
    return {};
  }
  return all;
}

// The programs get the last CPU, since the first has most interrupts; the consumer the first.
void choose_cpus(Settings& settings) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) cpus.push_back(cpu);
  settings.cpu = cpus.empty() ? 0 : cpus.back();
  settings.consumer_cpu = cpus.size() > 1 ? cpus.front() : -1;
}

int only_warnings(libbpf_print_level level, const char* pattern, va_list arguments) {
  return level == LIBBPF_WARN ? std::vfprintf(stderr, pattern, arguments) : 0;
}

int fail(const Error& error) {
  std::cerr << "nids-bench: " << error.message() << '\n';
  return kFailed;
}

int run(Arguments& all) {
  if (geteuid() != 0)
    return fail({.action = "run programs in the kernel",
                 .reason = "this needs root",
                 .hint = "try: sudo tools/bench firstpass"});
  // Before minutes of measuring, not after them.
  std::ofstream json;
  if (!all.json_file.empty()) json.open(all.json_file);
  if (!all.json_file.empty() && !json)
    return fail({.action = "write " + all.json_file, .error_number = errno});

  libbpf_set_print(only_warnings);
  choose_cpus(all.settings);
  if (auto pinned = stay_on_cpu(all.settings.cpu); !pinned) return fail(pinned.error());

  std::vector<CaseResult> cases;
  print_heading(std::cout, all.settings);
  const auto done = run_cases(all.settings, [&cases](CaseResult result) {
    print_case(std::cout, result);
    cases.push_back(std::move(result));
  });
  if (!done) return fail(done.error());
  if (cases.empty())
    return fail({.action = "measure " + all.settings.only, .reason = "no case has such a name"});

  const auto budgets = check_budgets(cases);
  print_curve(std::cout, cases);
  print_budgets(std::cout, budgets);
  if (json.is_open() && !(json << json_of(all.settings, cases, budgets)).flush())
    return fail({.action = "write " + all.json_file, .error_number = errno});
  return kOk;
}

}  // namespace
}  // namespace nids::bench

int main(int argc, char** argv) {
  using namespace nids::bench;
  auto arguments = parse({argv, static_cast<std::size_t>(argc)});
  if (!arguments) return kUsage;
  if (arguments->wants_help) {
    std::cout << kHelp;
    return kOk;
  }
  return run(*arguments);
}
