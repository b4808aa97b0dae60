// SPDX-License-Identifier: Apache-2.0
// Opens the places for results of a live agent, as the configuration has them. One that can't be
// opened is told of and marked; the others go on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/eve_files.hpp"
#include "agent/paths.hpp"
#include "config/config.hpp"
#include "kernel/attachment.hpp"
#include "output/outputs.hpp"

namespace nids {

[[nodiscard]] EveFiles eve_files(const Config::Eve& config, const Paths& paths);

[[nodiscard]] Sinks open_sinks(const Config& config, const Paths& paths,
                               const std::vector<Attachment>& attachments,
                               const std::string& filter, EveFiles& eve,
                               const std::function<void(const std::string&)>& error);

}  // namespace nids
