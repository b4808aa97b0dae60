// SPDX-License-Identifier: Apache-2.0
#include "agent/sinks.hpp"

#include "agent/output_files.hpp"
#include "decode/printable.hpp"

namespace nids {
namespace {

Result<Store> open_store(const Config& config, const Paths& paths,
                         const std::vector<Attachment>& attachments, const std::string& filter) {
  std::map<std::uint32_t, pcapng::Interface> interfaces;
  for (const Attachment& one : attachments)
    interfaces[static_cast<std::uint32_t>(one.ifindex)] = {.name = one.ifname,
                                                           .description = {},
                                                           .link_type = 1,
                                                           .snap_len = 0,
                                                           .filter = printable(filter)};
  const bool is_default = config.retain.directory.empty();
  std::string path = is_default ? paths.packets : config.retain.directory;
  auto fd = is_default ? open_free_packet_directory(path, agent_user())
                       : open_packet_directory(path, agent_user());
  if (!fd) return fd.error();
  return Store::open(fd->get(), path, interfaces, store_limits(config, Store::WhenBehind::kLose));
}

}  // namespace

EveFiles eve_files(const Config::Eve& config, const Paths& paths) {
  const bool is_default = config.path.empty();
  return {is_default ? paths.eve : config.path,
          is_default,
          {.rotate_bytes = config.rotate_bytes, .keep = config.keep}};
}

Sinks open_sinks(const Config& config, const Paths& paths,
                 const std::vector<Attachment>& attachments, const std::string& filter,
                 EveFiles& eve, const std::function<void(const std::string&)>& error) {
  Sinks sinks;
  const auto missing = [&](const Error& why) {
    error(why.message() + "; counting and alerting go on");
  };
  if (config.eve.enabled) {
    auto fd = eve.open();
    if (!fd) missing(fd.error());
    sinks.eve.emplace(fd ? fd->release() : -1);
  }
  if (config.retain.enabled) {
    auto store = open_store(config, paths, attachments, filter);
    if (store)
      sinks.store.emplace(std::move(*store));
    else
      missing(store.error());
    sinks.store_is_missing = !sinks.store;
  }
  if (config.ipfix.collector.ip_version != 0) {
    auto exporter = UdpExporter::open(
        config.ipfix.collector,
        {.domain = config.ipfix.domain, .template_seconds = config.ipfix.template_seconds});
    if (exporter)
      sinks.exporter.emplace(std::move(*exporter));
    else
      missing(exporter.error());
    sinks.exporter_is_missing = !sinks.exporter;
  }
  return sinks;
}

}  // namespace nids
