// SPDX-License-Identifier: Apache-2.0
// The results of a replay do not depend on the number of workers: a capture gives the same EVE
// lines, in any order, and the same counters with one worker and with four. Arguments: the folder
// of captures, unless NIDS_XDP_DATA names another, and N to take every Nth file. Ends with 77 if
// there is no file.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/replay.hpp"
#include "config/config.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  std::vector<std::string> lines;
  nids_agent_counters counters{};
  bool is_read = false, has_crashed = false;
};

// A table reports flows in the order in which they were read. So the other flows in the table
// decide whether a flow is reported in one scan or in the next. Until then the flow may get one
// more packet with an exact time, and it may begin again. The other fields are the same.
std::string without_report_time(const std::string& line) {
  auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || json.value("event_type", "") != "flow") return line;
  json.erase("timestamp");
  for (const char* field : {"start", "end", "age", "reason"}) json["flow"].erase(field);
  return json.dump();
}

// In a process of its own, because a replay drops root.
Outcome replay_with(std::size_t workers, const fs::path& capture, const fs::path& eve) {
  fs::remove(eve);
  Outcome outcome;
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return outcome;
  const pid_t child = fork();
  if (child == 0) {
    Config config = default_config();
    config.eve.flows = true;
    const auto replayed = replay(
        {.file = capture, .config = config, .eve = eve, .selection = {}, .workers = workers});
    if (replayed) static_cast<void>(!write(ends[1], &replayed->agent, sizeof replayed->agent));
    _exit(0);
  }
  close(ends[1]);
  outcome.is_read = read(ends[0], &outcome.counters, sizeof outcome.counters) ==
                    static_cast<ssize_t>(sizeof outcome.counters);
  outcome.counters.flows_tracked = 0;  // of the worker that looked last
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.has_crashed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  std::ifstream file(eve);
  for (std::string line; std::getline(file, line);)
    outcome.lines.push_back(without_report_time(line));
  std::ranges::sort(outcome.lines);
  return outcome;
}

std::vector<fs::path> captures(const char* folder, std::size_t step) {
  const char* named = std::getenv("NIDS_XDP_DATA");
  const fs::path data = named ? named : folder;
  std::vector<fs::path> found;
  std::error_code missing;
  for (const auto& entry : fs::recursive_directory_iterator(data, missing))
    if (entry.is_regular_file()) found.push_back(entry.path());
  std::ranges::sort(found);
  std::vector<fs::path> some;
  for (std::size_t i = 0; i < found.size(); i += step) some.push_back(found[i]);
  return some;
}

int run(const char* data, std::size_t step) {
  const auto all = captures(data, step);
  if (all.empty()) {
    std::puts("skipped: corpus.workers_all, there is no capture; NIDS_XDP_DATA names a folder");
    return 77;
  }
  std::string folder = (fs::temp_directory_path() / "nids-workers.XXXXXX").string();
  if (!::mkdtemp(folder.data())) return 1;
  std::size_t read = 0, lines = 0, differ = 0;
  for (const fs::path& capture : all) {
    const Outcome one = replay_with(1, capture, fs::path(folder) / "one.json");
    const Outcome four = replay_with(4, capture, fs::path(folder) / "four.json");
    read += one.is_read;
    lines += one.lines.size();
    const bool is_same = !one.has_crashed && !four.has_crashed && one.is_read == four.is_read &&
                         one.lines == four.lines &&
                         std::memcmp(&one.counters, &four.counters, sizeof one.counters) == 0;
    differ += !is_same;
    if (is_same) continue;
    std::printf("%s: %zu lines with one worker, %zu with four\n", capture.c_str(), one.lines.size(),
                four.lines.size());
    const auto [of_one, of_four] = std::ranges::mismatch(one.lines, four.lines);
    if (of_one != one.lines.end()) std::printf("  with one  %s\n", of_one->c_str());
    if (of_four != four.lines.end()) std::printf("  with four %s\n", of_four->c_str());
  }
  fs::remove_all(folder);
  std::printf("%zu files, %zu of them captures with %zu EVE lines: %zu differ\n", all.size(), read,
              lines, differ);
  return differ == 0 && lines != 0 ? 0 : 1;
}

}  // namespace
}  // namespace nids

int main(int argc, char** argv) {
  return argc == 3 ? nids::run(argv[1], static_cast<std::size_t>(std::max(1, std::atoi(argv[2]))))
                   : 2;
}
