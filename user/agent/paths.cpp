// SPDX-License-Identifier: Apache-2.0
#include "agent/paths.hpp"

#include <cstdlib>

namespace nids {

Paths default_paths() {
  const char* root = secure_getenv("NIDS_XDP_ROOT");
  std::string base = root ? root : "";
  while (base.ends_with('/')) base.pop_back();
  return {.run = base + "/run/nids-xdp",
          .bpffs = base + "/run/nids-xdp/bpf",
          .packets = base + "/var/lib/nids-xdp/pcap",
          .eve = base + "/var/log/nids-xdp/eve.json",
          .config = base + "/etc/nids-xdp/nids-xdp.toml"};
}

}  // namespace nids
