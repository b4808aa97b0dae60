// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/command.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPython = "/usr/bin/python3";

// Where the laboratory is: installed, or in the source tree, beside a build folder. Both are found
// from the program itself. So whoever can replace the laboratory can replace the program, too.
std::optional<fs::path> find_laboratory(const fs::path& program) {
  const fs::path folder = program.parent_path();
  for (const fs::path& place :
       std::array{folder / "../share/nids-xdp/lab", folder / "../../tools/lab"})
    if (std::error_code error; fs::exists(place / "__main__.py", error))
      return fs::weakly_canonical(place, error);
  return std::nullopt;
}

}  // namespace

// Becomes the laboratory, which is written in Python.
Exit run_lab(const std::vector<std::string>& arguments, Io& io) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const auto laboratory = find_laboratory(program);
  if (!laboratory)
    return fail(
        {.action = "find the laboratory",
         .reason = "it is neither installed nor in a source tree beside " + program.string(),
         .hint = "cmake --install installs it"},
        io);
  std::vector<std::string> words{kPython, "-IB", laboratory->string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  setenv("NIDS_XDP_BIN", program.c_str(), 1);
  execv(kPython, argv.data());
  return fail({.action = std::string("start ") + kPython,
               .error_number = errno,
               .hint = "apt install python3"},
              io);
}

}  // namespace nids
