# SPDX-License-Identifier: Apache-2.0
# What tools/run, tools/test and tools/bench share. Sourced from the project's root.

BUILD_PACKAGES="g++ cmake ninja-build clang bpftool pkg-config libbpf-dev libxdp-dev libc6-dev
  linux-libc-dev libspdlog-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libpcap-dev
  zlib1g-dev libzstd-dev libssl-dev libsqlite3-dev libcap-ng-dev libseccomp-dev libboost1.81-dev libgtest-dev libgmock-dev iproute2 python3 ca-certificates"

TEST_PACKAGES="git clang-14 clang-16 clang-format libclang-rt-dev openssh-server openssh-client
  openssl tcpdump tshark nmap iptables python3-jsonschema nfdump ethtool zstd procps util-linux mount logrotate
  curl hping3 inetutils-telnet inetutils-telnetd nginx-light python3-dpkt vsftpd"

say() { printf '%s\n' "$*" >&2; }

# need_root [WHAT FOR]
need_root() {
  [[ $(id -u) == 0 ]] && return
  say "this needs root: ${1:-it installs packages and attaches to an interface}; try: sudo $0"
  exit 1
}

# Quiet, and free of the network where nothing is missing.
install_packages() {
  local missing=() package log
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  [[ ${#missing[@]} == 0 ]] && return
  say "installing ${#missing[@]} packages: ${missing[*]}"
  log=$(mktemp)
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    say 'the packages could not be installed; the lines above say why'
    exit 1
  fi
  rm -f "$log"
}

# build PRESET [cmake --build options]
build() {
  local preset=$1 log
  shift
  log=$(mktemp)
  [[ -f build/$preset/build.ninja ]] || say "building build/$preset (a few minutes the first time)"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    say "the build of preset $preset failed; the lines above say why"
    exit 1
  fi
  rm -f "$log"
}
