// SPDX-License-Identifier: Apache-2.0
// Our own diagnostics: to standard error, or to the journal once nobody reads that. Never alerts.
#pragma once

#include <iosfwd>
#include <string>

namespace nids {

// `level` is one of spdlog's names; false where it is none.
bool log_to_stderr(const std::string& level);

// From now on, at that level; the stream outlives it.
void log_to_stream(std::ostream& stream);
// The same through syslog, which journald reads.
void log_to_journal();

}  // namespace nids
