// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <ostream>
#include <utility>

#include "cli/command.hpp"
#include "cli/kept_filter.hpp"
#include "cli/kept_store.hpp"
#include "cli/output_file.hpp"
#include "cli/short_text.hpp"
#include "cli/when.hpp"
#include "decode/printable.hpp"
#include "retain/capture_writer.hpp"
#include "retain/kept_packets.hpp"

namespace nids {
namespace {

void want(WantedParts& parts, const FlowSpan& span) {
  const auto [part, is_new] = parts.try_emplace(span.segment);
  WantedPart& wanted = part->second;
  if (is_new || span.first < wanted.first) wanted.first = span.first;
  wanted.offsets.insert(wanted.offsets.end(), span.offsets.begin(), span.offsets.end());
}

// An alert's packets are those of its flow; one of no flow has its own.
Result<WantedParts> parts_of_alert(const Index& index, std::uint64_t id) {
  const auto found = alert_by_id(index, id);
  if (!found) return found.error();
  if (!*found) return no_such_alert(id);
  const IndexedAlert& alert = **found;
  WantedParts parts;
  auto kept =
      kept_of_flow(index, alert.alert.flow, [&](const FlowSpan& span) { want(parts, span); });
  if (!kept) return kept.error();
  if (alert.place) {  // also where the index has lost its flow
    WantedPart& part = parts[alert.place->segment];
    if (part.offsets.empty()) part.first = {};
    part.offsets.push_back(alert.place->offset);
  }
  if (parts.empty())
    return Error{.action = "export the packets of alert " + std::to_string(id),
                 .reason = "none was kept, or they had to make room for others",
                 .hint = "nids-xdp alerts show " + std::to_string(id) + " says what is known"};
  return parts;
}

Result<WantedParts> parts_of_flow(const Index& index, const std::string& community_id,
                                  const Period& period) {
  WantedParts parts;
  auto asked = index.spans(
      {.community_id = community_id, .flow_id = {}, .since = period.since, .until = period.until},
      [&](const FlowSpan& span) {
        want(parts, span);
        return true;
      });
  if (!asked) return asked.error();
  if (parts.empty())
    return Error{.action = "export the packets of flow " + community_id,
                 .reason = "none is kept",
                 .hint = "nids-xdp pcap list says of which flows there are"};
  return parts;
}

// All of each segment in which something may be of that time. What is not in the index yet may be
// of any.
Result<WantedParts> parts_of_period(const KeptStore& store, const Period& period) {
  const auto indexed = store.index.segments();
  if (!indexed) return indexed.error();
  const auto there = list_segments(store.fd.get(), store.directory);
  if (!there) return there.error();
  WantedParts parts;
  auto asked = store.index.spans(
      {.community_id = {}, .flow_id = {}, .since = period.since, .until = period.until},
      [&](const FlowSpan& span) {
        const auto [part, is_new] = parts.try_emplace(span.segment);
        if (is_new || span.first < part->second.first) part->second.first = span.first;
        return true;
      });
  if (!asked) return asked.error();
  for (const auto& [name, bytes] : *there) {
    const auto known = indexed->find(name);
    if (known == indexed->end() || known->second.end < bytes) parts[name].first = {};
  }
  for (auto& [name, part] : parts) {
    part.is_whole = true;
    const auto known = indexed->find(name);
    part.complete = known == indexed->end() ? 0 : known->second.end;
  }
  return parts;
}

Result<WantedParts> parts_of(const KeptStore& store, const KeptChoice& choice,
                             const Period& period) {
  if (choice.alert) return parts_of_alert(store.index, *choice.alert);
  if (choice.flow) return parts_of_flow(store.index, *choice.flow, period);
  return parts_of_period(store, period);
}

Exit tell(const nids_sum& written, const std::vector<Error>& troubles,
          const PcapExportArguments& arguments, Io& io) {
  for (const Error& trouble : troubles) fail(trouble, io);
  if (!io.is_quiet)
    io.err << "nids-xdp: " << grouped(written.packets)
           << (written.packets == 1 ? " packet, " : " packets, ") << grouped(written.bytes)
           << " bytes"
           << (arguments.output == "-" ? "" : ", written to " + printable(arguments.output, 4096))
           << (troubles.empty() ? "" : "; some are missing") << '\n';
  return troubles.empty() ? kOk : kDegraded;
}

Exit write_all(KeptPackets packets, OutputFile output, const PcapExportArguments& arguments,
               Io& io) {
  CaptureWriter writer(arguments.format == "pcap" ? CaptureFormat::kPcap : CaptureFormat::kPcapng,
                       [&output](std::span<const std::byte> bytes) { return output.write(bytes); });
  Result<void> done;
  while (done) {
    const auto found = packets.next();
    if (!found) break;
    done = writer.add(found->packet, found->interface);
  }
  if (done) done = writer.finish();
  if (done) done = output.keep();
  if (output.is_unwanted()) return kOk;  // the reader has seen enough, as `head` has
  if (!done) return fail(done.error(), io);
  return tell(writer.written(), packets.troubles(), arguments, io);
}

}  // namespace

Exit run_pcap_export(const PcapExportArguments& arguments, Io& io) {
  fail_to_write_without_a_signal();
  const KeptChoice& choice = arguments.choice;
  if (choice.alert.has_value() + choice.flow.has_value() + choice.filter.has_value() != 1)
    return usage("give one of --alert, --flow and --filter", io, "pcap export");
  const auto period = period_of(choice.since, choice.until);
  if (!period) return usage(period.error().message(), io, "pcap export");
  if (auto ordered = in_order(period->since, period->until); !ordered)
    return usage(ordered.error().message(), io, "pcap export");
  std::optional<KeptFilter> filter;
  if (choice.filter) {
    auto compiled = KeptFilter::compile(*choice.filter, Services::load());
    if (!compiled) return usage(compiled.error().message(), io, "pcap export");
    filter.emplace(std::move(*compiled));
  }
  if (arguments.output == "-" && isatty(STDOUT_FILENO) != 0)
    return usage("packets are not written to a terminal: -o FILE, or | wireshark -k -i -", io,
                 "pcap export");
  auto output = OutputFile::create(arguments.output);
  if (!output) return fail(output.error(), io);
  if (output->is_terminal())
    return usage("packets are not written to a terminal", io, "pcap export");
  if (auto lent = output->lend_rights(); !lent) return fail(lent.error(), io);
  const auto store = open_kept_store(choice.retain, choice.config, io);
  if (!store) return kFailed;
  auto parts = parts_of(*store, choice, *period);
  if (!parts) return fail(parts.error(), io);
  const auto is_wanted = [&](const pcapng::PacketBlock& packet, const pcapng::Interface& on) {
    return period->holds(packet.time) &&
           (!filter || filter->matches(on.link_type, packet.data, packet.original_len));
  };
  return write_all(KeptPackets(store->fd.get(), std::move(*parts), is_wanted), std::move(*output),
                   arguments, io);
}

}  // namespace nids
