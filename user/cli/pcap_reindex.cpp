// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/command.hpp"
#include "cli/kept_store.hpp"
#include "cli/short_text.hpp"
#include "decode/printable.hpp"
#include "retain/repair.hpp"

namespace nids {

Exit run_pcap_reindex(const std::optional<std::string>& retain, Io& io) {
  const auto directory = kept_directory(retain, io);
  if (!directory) return kFailed;
  const auto made = rebuild_index(*directory);
  if (!made) return fail(with_hint(made.error(), "it needs the right to write there: sudo"), io);
  if (!io.is_quiet) {
    io.err << "nids-xdp: the index of " << printable(*directory, 4096)
           << " was made anew: " << grouped(made->packets) << " packets and "
           << grouped(made->alerts) << " alerts in " << grouped(made->segments) << " segments\n";
    if (made->cut_bytes != 0)
      io.err << "nids-xdp: " << grouped(made->cut_bytes)
             << " bytes of blocks that were not written to their end were cut off\n";
  }
  for (const std::string& file : made->damaged)
    io.err << "nids-xdp: " << printable(file, 4096)
           << " is damaged; what lies before the damage is in the index\n";
  return made->damaged.empty() ? kOk : kDegraded;
}

}  // namespace nids
