// SPDX-License-Identifier: Apache-2.0
#include "kernel/interface_claim.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace nids {
namespace {

Result<Fd> open_socket() {
  Fd fd{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return Error{.action = "open a netlink socket", .error_number = errno};
  return fd;
}

void append(std::vector<char>& to, const void* data, std::size_t bytes) {
  const auto* from = static_cast<const char*>(data);
  to.insert(to.end(), from, from + bytes);
  to.resize(NLMSG_ALIGN(to.size()));
}

void append_attribute(std::vector<char>& to, std::uint16_t type, const void* data,
                      std::uint16_t bytes) {
  const nlattr head{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + bytes),
                    .nla_type = type};
  append(to, &head, sizeof(head));
  append(to, data, bytes);
}

void append_message(std::vector<char>& to, std::uint16_t type, std::uint16_t flags, nfgenmsg body,
                    std::span<const char> attributes = {}) {
  const nlmsghdr head{
      .nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof(body)) + attributes.size()),
      .nlmsg_type = type,
      .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
      .nlmsg_seq = 0,
      .nlmsg_pid = 0};
  append(to, &head, sizeof(head));
  append(to, &body, sizeof(body));
  append(to, attributes.data(), attributes.size());
}

constexpr std::uint16_t table_message(int type) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

std::vector<char> name_attribute(int ifindex) {
  const std::string name = "nids-xdp-" + std::to_string(ifindex);
  std::vector<char> attributes;
  append_attribute(attributes, NFTA_TABLE_NAME, name.c_str(),
                   static_cast<std::uint16_t>(name.size() + 1));
  return attributes;
}

// The errno of the first answer, 0 where it is no error: the kernel answers before send() returns.
int error_of(int socket, std::span<const char> request) {
  if (send(socket, request.data(), request.size(), 0) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 8192> answer;
  const ssize_t got = recv(socket, answer.data(), answer.size(), MSG_DONTWAIT);
  if (got < 0) return errno;
  const auto* head = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (!NLMSG_OK(head, static_cast<std::size_t>(got))) return EBADMSG;
  if (head->nlmsg_type != NLMSG_ERROR) return 0;
  if (head->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
}

constexpr nfgenmsg kNetdev{.nfgen_family = NFPROTO_NETDEV, .version = NFNETLINK_V0, .res_id = 0};

int make_table(int socket, int ifindex) {
  const nfgenmsg batch{
      .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  std::vector<char> attributes = name_attribute(ifindex);
  const std::uint32_t flags = htonl(NFT_TABLE_F_OWNER);
  append_attribute(attributes, NFTA_TABLE_FLAGS, &flags, sizeof(flags));
  std::vector<char> request;
  append_message(request, NFNL_MSG_BATCH_BEGIN, 0, batch);
  append_message(request, table_message(NFT_MSG_NEWTABLE), NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
                 kNetdev, attributes);
  append_message(request, NFNL_MSG_BATCH_END, 0, batch);
  return error_of(socket, request);
}

bool has_table(int socket, int ifindex) {
  std::vector<char> request;
  append_message(request, table_message(NFT_MSG_GETTABLE), 0, kNetdev, name_attribute(ifindex));
  return error_of(socket, request) == 0;
}

}  // namespace

Result<Fd> claim_interface(int ifindex) {
  auto socket = open_socket();
  if (!socket) return socket;
  const int error = make_table(socket->get(), ifindex);
  if (error == 0) return socket;
  // EPERM is both: no rights to make tables, and a table whose owner is another socket.
  const bool is_taken = error == EEXIST || (error == EPERM && has_table(socket->get(), ifindex));
  return Error{.action = "make an nftables table", .error_number = is_taken ? EBUSY : error};
}

}  // namespace nids
