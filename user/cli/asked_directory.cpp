// SPDX-License-Identifier: Apache-2.0
#include "cli/asked_directory.hpp"

namespace nids {

bool take_directory(const std::optional<std::string>& config, std::optional<std::string>& retain,
                    Io& io) {
  if (!config || retain) return true;
  const auto named = effective_config(config, io);
  if (!named) return false;
  retain = named->retain.directory.empty() ? io.paths.packets : named->retain.directory;
  return true;
}

}  // namespace nids
