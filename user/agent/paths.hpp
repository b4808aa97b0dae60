// SPDX-License-Identifier: Apache-2.0
// Where state lies, below NIDS_XDP_ROOT where that is set. Creates nothing.
#pragma once

#include <string>

namespace nids {

struct Paths {
  std::string run;      // run/nids-xdp
  std::string bpffs;    // run/nids-xdp/bpf
  std::string packets;  // var/lib/nids-xdp/pcap
  std::string eve;      // var/log/nids-xdp/eve.json
  std::string config;   // etc/nids-xdp/nids-xdp.toml
};

// Ignores the variable where a privileged transition is under way.
Paths default_paths();

}  // namespace nids
