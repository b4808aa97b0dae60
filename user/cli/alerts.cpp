// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "cli/alert_details.hpp"
#include "cli/columns.hpp"
#include "cli/command.hpp"
#include "cli/ending.hpp"
#include "cli/ends_text.hpp"
#include "cli/filter_expression.hpp"
#include "cli/kept_store.hpp"
#include "cli/short_text.hpp"
#include "cli/wall_clock.hpp"
#include "decode/printable.hpp"
#include "log/alert_line.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNarrow = 110;  // columns, below which what is long is left out
constexpr int kPoll_ms = 250;
constexpr int kMostTroubles = 40;  // looks in a row that find no index that can be read
constexpr std::size_t kMaxPath = 4096;

struct Question {
  AlertQuery query;
  std::optional<FlowFilter> filter;

  Result<void> ask(const Index& index,
                   const std::function<bool(const IndexedAlert&)>& on_alert) const {
    return index.alerts(query, [&](const IndexedAlert& alert) {
      return filter && !filter->matches(alert.alert.flow.ends) ? true : on_alert(alert);
    });
  }
};

// An error is a usage error.
Result<Question> question_of(const AlertsArguments& arguments) {
  Question question;
  const auto period = period_of(arguments.since, {});
  if (!period) return period.error();
  question.query.since = period->since;
  question.query.lowest_severity = arguments.severity;
  question.query.classes = names_of(arguments.class_list);
  if (arguments.filter) {
    auto filter = compile_flow_filter(*arguments.filter, Services::load());
    if (!filter) return filter.error();
    question.filter = std::move(*filter);
  }
  return question;
}

// How many packets of an alert are kept; flows are looked up once.
class KeptCounts {
 public:
  explicit KeptCounts(const Index& index) : index_(index) {}

  Result<std::uint64_t> of(const IndexedAlert& alert) {
    const KeptFlow& flow = alert.alert.flow;
    if (flow.id == 0) return std::uint64_t{alert.place.has_value()};
    const auto [known, is_new] = counts_.try_emplace({flow.id, flow.community_id});
    if (is_new) {
      const auto kept = kept_of_flow(index_, flow);
      if (!kept) return kept.error();
      known->second = kept->packets;
    }
    return std::max(known->second, std::uint64_t{alert.place.has_value()});
  }

 private:
  const Index& index_;
  std::map<std::pair<std::uint64_t, std::string>, std::uint64_t> counts_;
};

// Where there is little room the class alone says that its protocol was flagged.
std::string signature_text(const KeptAlert& alert, bool is_narrow) {
  const std::string& name = alert.flow.class_name;
  const bool is_class_only =
      is_narrow && !name.empty() && alert.signature == "flagged protocol " + name;
  return printable(is_class_only ? name : alert.signature);
}

Result<void> print_table(const Question& question, const KeptStore& store, Io& io) {
  const bool is_narrow = io.width != 0 && io.width < kNarrow;
  TextTable table({{.header = "ID", .is_right = true},
                   {.header = "TIME"},
                   {.header = "SEV", .is_right = true},
                   {.header = "KEPT", .is_right = true, .sacrifice = 2},
                   {.header = "CLIENT", .is_address = true},
                   {.header = "SERVER", .is_address = true},
                   {.header = "CLASS", .least_width = kNarrow, .sacrifice = 1},
                   {.header = "SIGNATURE", .may_end_at = 20}});
  const WallTime now = wall_now();
  KeptCounts counts(store.index);
  std::uint64_t alerts = 0;
  Result<void> counted;
  auto asked = question.ask(store.index, [&](const IndexedAlert& one) {
    const auto kept = counts.of(one);
    if (!kept) {
      counted = kept.error();
      return false;
    }
    const KeptAlert& alert = one.alert;
    const bool has_port = alert.kind != AlertKind::kHost;
    table.add({std::to_string(alert.id),
               is_narrow ? short_moment_text(alert.time, now) : moment_text(alert.time),
               std::to_string(alert.severity), *kept == 0 ? "-" : short_count(*kept),
               client_text(alert.flow.ends, has_port), server_text(alert.flow.ends, has_port),
               alert.flow.class_name.empty() ? "-" : printable(alert.flow.class_name),
               signature_text(alert, is_narrow)},
              severity_colour(alert.severity));
    ++alerts;
    return true;
  });
  if (!asked) return asked;
  if (!counted) return counted;
  const std::string text = table.text(io.width, io.colour);
  const bool has_kept = text.substr(0, text.find('\n')).find(" KEPT ") != text.npos;
  io.out << text << grouped(alerts) << (alerts == 1 ? " alert" : " alerts")
         << (alerts == 0 ? " of those in " + printable(store.directory, kMaxPath) : "")
         << ", times in UTC" << (has_kept ? "; KEPT: packets of its flow\n" : "\n");
  return {};
}

// An object at a time: all of them in one array may be much.
Result<void> print_json(const Question& question, const KeptStore& store, Io& io) {
  bool is_first = true;
  io.out << '[';
  auto asked = question.ask(store.index, [&](const IndexedAlert& alert) {
    io.out << (std::exchange(is_first, false) ? "\n" : ",\n") << alert_json(alert).dump(2);
    return static_cast<bool>(io.out);
  });
  io.out << (is_first ? "]\n" : "\n]\n");
  return asked;
}

// For a shell: a word of harmless characters as it is.
std::string quoted(const std::string& word) {
  constexpr std::string_view kHarmless =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+,@%";
  if (!word.empty() && word.find_first_not_of(kHarmless) == word.npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<AlertPackets> packets_of(const KeptStore& store, const IndexedAlert& alert,
                                const AlertsArguments& arguments) {
  AlertPackets packets;
  const auto kept = kept_of_flow(store.index, alert.alert.flow, [&](const FlowSpan& span) {
    packets.segments[span.segment] += span.offsets.size();
  });
  if (!kept) return kept.error();
  packets.packets = kept->packets;
  packets.bytes = kept->bytes;
  packets.directory = store.directory;
  const std::string id = std::to_string(alert.alert.id);
  const bool is_named = arguments.retain || arguments.config;
  packets.export_command = "nids-xdp pcap export --alert " + id +
                           (is_named ? " --retain " + quoted(store.directory) : "") + " -o alert-" +
                           id + ".pcapng";
  return packets;
}

void print_new(const IndexedAlert& one, const AlertsArguments& arguments, Io& io) {
  if (arguments.json) {
    io.out << alert_json(one).dump() << std::endl;
    return;
  }
  const KeptAlert& alert = one.alert;
  const Alert line{.time = alert.time,
                   .signature_id = alert.signature_id,
                   .kind = alert.kind,
                   .severity = alert.severity,
                   .signature = alert.signature,
                   .class_name = alert.flow.class_name,
                   .ends = alert.flow.ends};
  const std::string id = std::to_string(alert.id) + " ";
  const std::size_t width = io.width > id.size() ? io.width - id.size() : 0;
  io.out << id + alert_line(line, {.colour = io.colour, .with_date = true, .width = width})
         << std::endl;
}

// Those behind `seen`. Returns the last one's id, which may have been committed only now.
Result<std::uint64_t> tell_new(const Index& index, Question& question, std::uint64_t seen,
                               const AlertsArguments& arguments, Io& io) {
  question.query.after_id = seen;
  std::uint64_t last = seen;
  auto asked = question.ask(index, [&](const IndexedAlert& alert) {
    if (alert.alert.id > kMaxFoundAlert) return false;  // planted, and so are all behind it
    print_new(alert, arguments, io);
    last = alert.alert.id;
    return !is_to_end() && io.out;
  });
  if (!asked) return asked.error();
  return last;
}

}  // namespace

Exit run_alerts_list(const AlertsArguments& arguments, Io& io) {
  fail_to_write_without_a_signal();
  const auto question = question_of(arguments);
  if (!question) return usage(question.error().message(), io, "alerts");
  const auto store = open_kept_store(arguments.retain, arguments.config, io);
  if (!store) return kFailed;
  const auto printed =
      arguments.json ? print_json(*question, *store, io) : print_table(*question, *store, io);
  return printed ? kOk : fail(printed.error(), io);
}

Exit run_alerts_show(const AlertsArguments& arguments, Io& io) {
  fail_to_write_without_a_signal();
  const auto store = open_kept_store(arguments.retain, arguments.config, io);
  if (!store) return kFailed;
  const auto alert = alert_by_id(store->index, arguments.id);
  if (!alert) return fail(alert.error(), io);
  if (!*alert) return fail(no_such_alert(arguments.id), io);
  const auto packets = packets_of(*store, **alert, arguments);
  if (!packets) return fail(packets.error(), io);
  if (arguments.json)
    io.out << alert_details_json(**alert, *packets).dump(2) << '\n';
  else
    io.out << alert_details_text(**alert, *packets, io.width);
  return kOk;
}

Exit run_alerts_follow(const AlertsArguments& arguments, Io& io) {
  fail_to_write_without_a_signal();
  auto question = question_of(arguments);
  if (!question) return usage(question.error().message(), io, "alerts");
  auto store = open_kept_store(arguments.retain, arguments.config, io);
  if (!store) return kFailed;
  end_at_signals();
  std::optional<std::uint64_t> seen;
  int troubles = 0;
  while (!is_to_end() && io.out) {
    // One that is made at this moment is no index yet.
    const auto followed = follow_index(*store);
    troubles = followed ? 0 : troubles + 1;
    if (troubles > kMostTroubles) return fail(followed.error(), io);
    const auto last = store->index.last_alert_id();
    if (!last) return fail(last.error(), io);
    if (!seen) seen = *last;
    if (*last > *seen) {
      const auto told = tell_new(store->index, *question, *seen, arguments, io);
      if (!told) return fail(told.error(), io);
      seen = std::max(*last, *told);
    }
    poll(nullptr, 0, kPoll_ms);
  }
  return kOk;
}

}  // namespace nids
