// SPDX-License-Identifier: Apache-2.0
// Our own diagnostics: to standard error, or to the journal once nobody reads that. Never alerts.
#pragma once

#include <string>

namespace nids {

// `level` is one of spdlog's names; false where it is none.
bool log_to_stderr(const std::string& level);

// Through syslog, which journald reads.
void log_to_journal();

}  // namespace nids
