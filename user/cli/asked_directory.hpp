// SPDX-License-Identifier: Apache-2.0
// Which directory of kept packets a command was told to ask. Opens none.
#pragma once

#include <optional>
#include <string>

#include "cli/command.hpp"

namespace nids {

// `--config FILE` stands for `--retain DIR`, with the directory of that file, unless there is one.
// False: the file has problems, and they were said.
[[nodiscard]] bool take_directory(const std::optional<std::string>& config,
                                  std::optional<std::string>& retain, Io&);

}  // namespace nids
