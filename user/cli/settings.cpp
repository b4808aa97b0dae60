// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <ostream>
#include <sstream>

#include "cli/command.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

constexpr const char* kNoFileHint = "nids-xdp config dump > FILE writes one with every default";

void print_problems(const std::string& file, const std::vector<ConfigProblem>& problems,
                    std::ostream& stream) {
  for (const ConfigProblem& problem : problems)
    stream << printable(file, 4096) << ':' << problem.line << ':' << problem.column << ": "
           << problem.text << '\n';
}

std::string chosen_file(const std::optional<std::string>& file, const Io& io) {
  return file ? *file : io.paths.config;
}

// Nobody has to have a file; one that was named has to be there.
bool means_defaults(const std::optional<std::string>& file, const Io& io) {
  return !file && access(io.paths.config.c_str(), F_OK) != 0;
}

}  // namespace

std::optional<std::string> file_in_force(const std::optional<std::string>& file, const Io& io) {
  if (means_defaults(file, io)) return std::nullopt;
  return std::filesystem::absolute(chosen_file(file, io)).string();
}

std::string printable_lines(const std::string& text) {
  constexpr std::size_t kLongestLine = 8192;
  std::istringstream lines(text);
  std::string safe, line;
  while (std::getline(lines, line))
    safe += (safe.empty() ? "" : "\n") + printable(line, kLongestLine);
  return safe;
}

Exit fail(const Error& error, Io& io) {
  io.err << "nids-xdp: " << printable_lines(error.message()) << '\n';
  return kFailed;
}

Exit usage(const std::string& text, Io& io, const std::string& command) {
  io.err << "nids-xdp: " << printable_lines(text) << "\n  hint: nids-xdp "
         << (command.empty() ? "" : command + " ") << "--help\n";
  return kUsage;
}

Error with_hint(Error error, const std::string& hint) {
  if (error.hint.empty()) error.hint = hint;
  return error;
}

std::optional<Config> effective_config(const std::optional<std::string>& file, Io& io,
                                       const char* nothing) {
  if (means_defaults(file, io)) return default_config();
  const std::string path = chosen_file(file, io);
  auto outcome = load_config(path);
  if (!outcome) {
    Error error = with_hint(outcome.error(), kNoFileHint);
    error.action += std::string("; ") + nothing;
    fail(error, io);
    return std::nullopt;
  }
  if (outcome->problems.empty()) return std::move(outcome->config);
  print_problems(path, outcome->problems, io.err);
  io.err << "nids-xdp: the configuration has problems; " << nothing
         << "\n  hint: nids-xdp config check " << printable(path, 4096) << '\n';
  return std::nullopt;
}

Exit run_config_check(const std::optional<std::string>& file, Io& io) {
  const std::string path = chosen_file(file, io);
  if (means_defaults(file, io)) {
    io.out << path << ": there is no such file; the defaults are in force\n";
    return kOk;
  }
  auto outcome = load_config(path);
  if (!outcome) return fail(with_hint(outcome.error(), kNoFileHint), io);
  print_problems(path, outcome->problems, io.out);
  if (!outcome->problems.empty()) return kProblemsFound;
  io.out << printable(path, 4096) << ": ok\n";
  return kOk;
}

Exit run_config_dump(const std::optional<std::string>& file, Io& io) {
  const auto config = effective_config(file, io);
  if (!config) return kFailed;
  io.out << dump_config(*config);
  return kOk;
}

}  // namespace nids
