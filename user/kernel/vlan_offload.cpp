// SPDX-License-Identifier: Apache-2.0
#include "kernel/vlan_offload.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "kernel/netns.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kMaxFeatures = 4096;  // there are some 70

// Asks the driver. The answer overwrites the question. False: errno says why.
bool ask_ethtool(int socket, const std::string& ifname, void* question) {
  ifreq request{};
  std::strncpy(request.ifr_name, ifname.c_str(), sizeof(request.ifr_name) - 1);
  request.ifr_data = static_cast<char*>(question);
  return ioctl(socket, SIOCETHTOOL, &request) == 0;
}

// Memory for a header whose answer has a tail of `tail_bytes`.
template <class Header>
class Question {
 public:
  Question(Header header, std::size_t tail_bytes)
      : words_((sizeof(Header) + tail_bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t)) {
    std::memcpy(words_.data(), &header, sizeof(header));
  }
  void* get() { return words_.data(); }
  const Header& header() const { return *reinterpret_cast<const Header*>(words_.data()); }
  const char* tail() const { return reinterpret_cast<const char*>(words_.data()) + sizeof(Header); }

 private:
  std::vector<std::uint64_t> words_;
};

// The names of all features, in the order of the bit sets.
std::vector<std::string> feature_names(int socket, const std::string& ifname) {
  Question count(ethtool_sset_info{.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES},
                 sizeof(std::uint32_t));
  if (!ask_ethtool(socket, ifname, count.get()) || count.header().sset_mask == 0) return {};
  std::uint32_t features = 0;
  std::memcpy(&features, count.tail(), sizeof(features));
  if (features > kMaxFeatures) return {};
  Question strings(
      ethtool_gstrings{.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = features},
      std::size_t{features} * ETH_GSTRING_LEN);
  if (!ask_ethtool(socket, ifname, strings.get()) || strings.header().len != features) return {};
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < features; ++i) {
    const char* name = strings.tail() + std::size_t{i} * ETH_GSTRING_LEN;
    names.emplace_back(name, strnlen(name, ETH_GSTRING_LEN));
  }
  return names;
}

Result<VlanOffload> vlan_offload(const std::string& ifname, const char* ctag, const char* stag) {
  const std::string action = "ask for the offloads of " + ifname;
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket) return Error{.action = action, .error_number = errno};
  const std::vector<std::string> names = feature_names(socket.get(), ifname);
  if (names.empty()) return Error{.action = action, .reason = "it names none"};
  const auto blocks = static_cast<std::uint32_t>((names.size() + 31) / 32);
  Question features(ethtool_gfeatures{.cmd = ETHTOOL_GFEATURES, .size = blocks},
                    blocks * sizeof(ethtool_get_features_block));
  if (!ask_ethtool(socket.get(), ifname, features.get()))
    return Error{.action = action, .error_number = errno};
  VlanOffload offload;
  for (std::size_t i = 0; i < names.size() && i / 32 < features.header().size; ++i) {
    if (names[i] != ctag && names[i] != stag) continue;
    ethtool_get_features_block block{};
    std::memcpy(&block, features.tail() + i / 32 * sizeof(block), sizeof(block));
    const std::uint32_t bit = 1u << i % 32;
    if ((block.active & bit) == 0) continue;
    (names[i] == ctag ? offload.is_on : offload.is_on_stag) = true;
    if ((block.available & bit) == 0 || (block.never_changed & bit) != 0)
      offload.can_be_turned_off = false;
  }
  return offload;
}

// In the network namespace that the calling thread is in.
TagTaker sender(const std::vector<LinkFacts>& links, int ifindex) {
  TagTaker taker{.name = {}, .enter = {}, .offload = {}, .is_sender = true};
  for (const LinkFacts& link : links) {
    if (link.ifindex != ifindex || link.kind != "veth") continue;
    taker.name = link.name;
    if (auto offload = transmit_vlan_offload(link.name)) taker.offload = *offload;
  }
  return taker;
}

TagTaker other_end(const LinkFacts& veth, const std::vector<LinkFacts>& links) {
  if (!veth.other_netns) return sender(links, veth.other);
  TagTaker taker = sender({}, 0);
  const auto there = find_netns(*veth.other_netns);
  if (!there) return taker;
  look_into(*there, [&] {
    if (auto links_there = list_links()) taker = sender(*links_there, veth.other);
  });
  taker.enter = there->enter;
  return taker;
}

}  // namespace

Result<VlanOffload> receive_vlan_offload(const std::string& ifname) {
  return vlan_offload(ifname, "rx-vlan-hw-parse", "rx-vlan-stag-hw-parse");
}

Result<VlanOffload> transmit_vlan_offload(const std::string& ifname) {
  return vlan_offload(ifname, "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert");
}

std::vector<TagTaker> tag_takers(const LinkFacts& link, const std::vector<LinkFacts>& links) {
  std::vector<TagTaker> takers;
  if (link.kind == "veth") {
    takers.push_back(other_end(link, links));
  } else if (link.kind == "bond") {
    for (const LinkFacts& port : links)
      if (port.master == link.ifindex && port.kind != "bond")  // a bond is no port of a bond
        for (TagTaker& taker : tag_takers(port, links)) takers.push_back(std::move(taker));
  } else {
    TagTaker taker{.name = link.name, .enter = {}, .offload = {}};
    if (auto offload = receive_vlan_offload(link.name)) taker.offload = *offload;
    takers.push_back(std::move(taker));
  }
  return takers;
}

}  // namespace nids
