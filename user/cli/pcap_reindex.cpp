// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <ostream>

#include "agent/privileges.hpp"
#include "cli/command.hpp"
#include "cli/kept_store.hpp"
#include "cli/short_text.hpp"
#include "decode/printable.hpp"
#include "retain/rebuild.hpp"

namespace nids {

Exit run_pcap_reindex(const std::optional<std::string>& retain,
                      const std::optional<std::string>& config, Io& io) {
  fail_to_write_without_a_signal();
  const auto directory = kept_directory(retain, config, io);
  if (!directory) return kFailed;
  const Fd fd{open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail({.action = "open the directory " + *directory, .error_number = errno}, io);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail({.action = "make the index of " + *directory + " anew",
                 .reason = "an agent keeps packets there now",
                 .hint = "stop it first; it repairs the index by itself when it starts"},
                io);
  if (auto become = become_owner(fd.get()); !become) return fail(become.error(), io);
  if (auto confined = confine_to(fd.get(), io); !confined) return fail(confined.error(), io);
  const auto made = rebuild_index(fd.get(), *directory);
  if (!made) return fail(made.error(), io);
  if (!io.is_quiet) {
    io.err << "nids-xdp: the index of " << printable(*directory, 4096)
           << " was made anew: " << grouped(made->packets) << " packets and "
           << grouped(made->alerts) << " alerts in " << grouped(made->segments)
           << (made->segments == 1 ? " segment\n" : " segments\n");
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
