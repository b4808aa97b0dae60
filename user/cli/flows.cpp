// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <deque>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "agent/control.hpp"
#include "agent/flow_query.hpp"
#include "cli/command.hpp"
#include "cli/filter_expression.hpp"
#include "cli/flows_text.hpp"
#include "cli/readings.hpp"
#include "cli/resolver.hpp"
#include "cli/unix_client.hpp"
#include "cli/wall_clock.hpp"
#include "decode/printable.hpp"
#include "kernel/flow_maps.hpp"
#include "log/flow_json.hpp"
#include "report/totals.hpp"
#include "source/live_tables.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNoTerminalWidth = 160;
constexpr auto kMayTake = std::chrono::seconds(5);  // for a part of an agent's answer
constexpr std::size_t kMaxLineBytes = 64 << 10;     // an agent writes no longer line

struct Answer {
  std::uint64_t total = 0;
  std::vector<Json> flows;
};

// Lines of an agent's control socket.
class Conversation {
 public:
  static Result<Conversation> begin(const std::string& path, const FlowQuery& query) {
    const std::string action = "ask the agent at " + path;
    auto fd = connect_to(path, action, kMayTake);
    if (!fd) {
      Error error = fd.error();
      if (error.error_number == EACCES)
        error.hint = "run as root, or as a member of the group nids-xdp";
      return error;
    }
    const std::string line = query.text() + "\n";
    if (send(fd->get(), line.data(), line.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(line.size()))
      return Error{.action = action, .error_number = errno};
    return Conversation(std::move(*fd), action);
  }

  int fd() const { return fd_.get(); }

  // The next line; null JSON at the end. Waits for it.
  Result<Json> next() {
    for (;;) {
      if (const auto end = buffer_.find('\n', start_); end != std::string::npos) {
        Json json = Json::parse(buffer_.begin() + static_cast<std::ptrdiff_t>(start_),
                                buffer_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
        start_ = end + 1;
        if (!json.is_object()) return garbled();
        if (json.contains("error"))
          return Error{.action = action_, .reason = printable(json.value("error", ""), 400)};
        return json;
      }
      buffer_.erase(0, start_);
      start_ = 0;
      if (buffer_.size() > kMaxLineBytes) return garbled();
      char bytes[65'536];
      const ssize_t got = read(fd_.get(), bytes, sizeof(bytes));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return no_answer();
      if (got < 0) return Error{.action = action_, .error_number = errno};
      if (got == 0) return Json();
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
  }
  bool has_line() const { return buffer_.find('\n', start_) != std::string::npos; }

 private:
  Conversation(Fd fd, std::string action) : fd_(std::move(fd)), action_(std::move(action)) {}
  Error no_answer() const {
    return {.action = action_,
            .reason = "it does not answer",
            .hint = "nids-xdp status says how it is; its parent starts another one if it hangs"};
  }
  Error garbled() const { return {.action = action_, .reason = "its answer is no JSON"}; }

  Fd fd_;
  std::string action_;
  std::string buffer_;
  std::size_t start_ = 0;
};

// Up to the end, or to where changes begin.
Result<void> take_answer(Conversation& conversation, Answer& answer) {
  for (bool has_begun = false;;) {
    auto line = conversation.next();
    if (!line) return line.error();
    if (line->is_null() && !has_begun)
      return Error{.action = "list flows",
                   .reason = "the agent gave no answer",
                   .hint = "it takes 8 questions at a time; try again when others have ended"};
    if (line->is_null() || line->contains("following")) return {};
    has_begun = true;
    if (line->contains("total"))
      answer.total += line->value("total", std::uint64_t{0});
    else
      answer.flows.push_back(std::move(*line));
  }
}

// Where no agent runs: what the tables hold, read once. Of flows that have left them nothing is
// known.
Result<void> read_tables(const Reading& reading, const FlowQuery& query, Answer& answer) {
  auto maps = FlowMaps::of(reading.attachment->maps);
  if (!maps) return maps.error();
  const auto ticks = sample_ticks(maps->info.tick_ns);
  if (!ticks) return ticks.error();
  std::vector<std::string> class_names;
  for (const nids_class& one : reading.kernel.classes) class_names.push_back(class_name(one));
  FlowTable table({.max_flows = 1u << 24}, [](const Flow&, FlowReason) {});
  FlowReader reader(tables_of(*maps), true);
  const WallTime now = wall_now();
  reader.scan({.now_ticks = ticks->ticks, .tick_ns = ticks->tick_ns, .now = now},
              [&](const FlowPart& part) { table.add(part); });
  // What is over is still in its slot.
  for (int looks = 0; looks < 3; ++looks) table.expire(now);
  const FlowSelection selection = select_flows(table, query, class_names);
  answer.total += selection.total;
  for (const FlowPlace& one : selection.flows)
    if (const Flow* flow = table.at(one.place, one.id)) {
      Json json = flow_json(table.live_record_of(*flow), class_names[flow->class_id]);
      json["in_iface"] = reading.attachment->ifname;
      answer.flows.push_back(std::move(json));
    }
  return {};
}

std::uint64_t sum_of(const Json& flow, const char* a, const char* b) {
  const Json counts = flow.value("flow", Json::object());
  return counts.value(a, std::uint64_t{0}) + counts.value(b, std::uint64_t{0});
}

// Several agents' answers become one.
void merge(Answer& answer, const FlowQuery& query) {
  const auto is_before = [&](const Json& a, const Json& b) {
    if (query.by == FlowOrder::kAge)
      return a.value("flow", Json::object()).value("start", "") <
             b.value("flow", Json::object()).value("start", "");
    const bool by_bytes = query.by == FlowOrder::kBytes;
    const char* to_server = by_bytes ? "bytes_toserver" : "pkts_toserver";
    const char* to_client = by_bytes ? "bytes_toclient" : "pkts_toclient";
    return sum_of(a, to_server, to_client) > sum_of(b, to_server, to_client);
  };
  std::stable_sort(answer.flows.begin(), answer.flows.end(), is_before);
  if (query.top != 0 && answer.flows.size() > query.top) answer.flows.resize(query.top);
}

// A class that nobody has is a typing error, and no empty list.
Result<void> check_classes(const FlowQuery& query, const std::vector<Reading>& readings) {
  for (const std::string& wanted : query.classes) {
    const bool is_known = std::ranges::any_of(readings, [&](const Reading& one) {
      return std::ranges::any_of(
          one.kernel.classes, [&](const nids_class& known) { return class_name(known) == wanted; });
    });
    if (!is_known || wanted.empty())
      return Error{.action = "list flows of class " + wanted,
                   .reason = "no interface is watched for it",
                   .hint = "nids-xdp stats --json names the classes of each"};
  }
  return {};
}

Result<FlowQuery> query_of(const FlowsArguments& arguments, const Services& services) {
  FlowQuery query{.top = arguments.top, .follow = arguments.follow};
  query.by = arguments.by == "age"       ? FlowOrder::kAge
             : arguments.by == "packets" ? FlowOrder::kPackets
                                         : FlowOrder::kBytes;
  if (arguments.class_list) {
    const std::string& list = *arguments.class_list;
    for (std::size_t start = 0; start <= list.size();) {
      const std::size_t end = std::min(list.find(',', start), list.size());
      query.classes.push_back(list.substr(start, end - start));
      start = end + 1;
    }
  }
  if (arguments.filter) {
    auto filter = compile_flow_filter(*arguments.filter, services);
    if (!filter) return filter.error();
    query.filter = std::move(*filter);
  }
  return query;
}

// Flows and changes as this user wants to see them.
class View {
 public:
  View(const FlowsArguments& arguments, const Services& services, Io& io)
      : arguments_(arguments), io_(io) {
    options_.width = io.width != 0 ? io.width : kNoTerminalWidth;
    options_.colour = io.colour;
    if (!arguments.numeric) options_.services = &services;
    if (arguments.resolve) {
      resolver_.emplace();
      options_.host_name = [this](const std::uint8_t(&address)[16], std::uint8_t version) {
        return resolver_->name_of(address, version);
      };
    }
  }

  bool table(const Answer& answer) {
    if (arguments_.json) {
      for (const Json& one : answer.flows)
        if (arguments_.follow) io_.out << one.dump() << '\n';
      if (!arguments_.follow) io_.out << Json(answer.flows).dump(2) << '\n';
      return true;
    }
    std::vector<NamedFlow> flows;
    for (const Json& one : answer.flows) {
      auto parsed = parse_flow_json(one);
      if (!parsed) return fail(parsed.error(), io_), false;
      flows.push_back(std::move(*parsed));
    }
    if (resolver_) await_names(flows);
    io_.out << flows_table(flows, answer.total, wall_now(), options_);
    io_.out.flush();
    return true;
  }

  bool change(const Json& line) {
    if (const std::uint64_t left_out = line.value("left_out", std::uint64_t{0}); left_out != 0)
      io_.err << "nids-xdp: " << left_out << " changes came too fast and are left out\n";
    if (!line.contains("flow")) return true;
    if (arguments_.json) {
      io_.out << line.dump() << std::endl;
      return true;
    }
    auto flow = parse_flow_json(line["flow"]);
    if (!flow) return fail(flow.error(), io_), false;
    const std::string sign = line.value("change", "~");
    io_.out << flow_change_line(static_cast<ChangeSign>(sign.empty() ? '~' : sign[0]), *flow,
                                wall_now(), options_)
            << std::flush;
    return true;
  }

 private:
  // A listing is made once: names that come within a moment are in it.
  void await_names(const std::vector<NamedFlow>& flows) {
    const auto last_moment = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (bool is_missing = true; is_missing && std::chrono::steady_clock::now() < last_moment;) {
      is_missing = false;
      for (const NamedFlow& one : flows)
        for (const auto* address : {&one.record.ends.client, &one.record.ends.server})
          is_missing = !resolver_->name_of(*address, one.record.ends.ip_version) || is_missing;
      if (is_missing) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const FlowsArguments& arguments_;
  Io& io_;
  FlowsTextOptions options_;
  std::optional<Resolver> resolver_;
};

// Until every agent has gone.
Exit follow(std::vector<Conversation>& conversations, View& view, Io& io) {
  while (!conversations.empty()) {
    std::vector<pollfd> fds;
    for (const Conversation& one : conversations) fds.push_back({one.fd(), POLLIN, 0});
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
      return fail({.action = "wait for changes", .error_number = errno}, io);
    for (std::size_t i = conversations.size(); i-- > 0;) {
      if (fds[i].revents == 0) continue;
      bool is_over = false;
      do {
        auto line = conversations[i].next();
        if (!line) return fail(line.error(), io);
        is_over = line->is_null();
        if (!is_over && !view.change(*line)) return kFailed;
      } while (!is_over && conversations[i].has_line());
      if (is_over) conversations.erase(conversations.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (!io.out) return kOk;  // the reader has gone
  }
  return kOk;
}

// Of the agent, or where that can't be had of its tables.
Result<void> ask(const Reading& one, const FlowQuery& query,
                 std::vector<Conversation>& conversations, Answer& answer, Io& io) {
  if (one.agent) {
    const auto ask_agent = [&]() -> Result<void> {
      auto conversation =
          Conversation::begin(control_path(io.paths.run, one.kernel.agent.pid), query);
      if (!conversation) return conversation.error();
      Answer own;  // half of one is none
      if (auto taken = take_answer(*conversation, own); !taken) return taken;
      answer.total += own.total;
      std::ranges::move(own.flows, std::back_inserter(answer.flows));
      conversations.push_back(std::move(*conversation));
      return {};
    };
    auto taken = ask_agent();
    if (taken || !one.attachment || query.follow) return taken;
    io.err << taken.error().message() << "\nnids-xdp: reading the tables instead\n";
  }
  if (!one.attachment)
    return Error{.action = "list flows",
                 .reason = "no agent runs, and only root can read the tables",
                 .hint = "run it with sudo"};
  return read_tables(one, query, answer);
}

}  // namespace

Exit run_flows(const FlowsArguments& arguments, Io& io) {
  const Services services = Services::load();
  const auto query = query_of(arguments, services);
  if (!query) return usage(query.error().message(), io, "flows");
  auto readings = read_attached(std::nullopt, io.paths);
  if (!readings) return fail(readings.error(), io);
  if (readings->empty())
    return fail({.action = "list flows",
                 .reason = "nids-xdp is attached to no interface of this network namespace",
                 .hint = "sudo nids-xdp attach"},
                io);
  if (auto known = check_classes(*query, *readings); !known)
    return usage(known.error().message(), io, "flows");
  Answer answer;
  std::vector<Conversation> conversations;
  std::set<std::uint64_t> asked;  // agents, by their parents' pid
  for (const Reading& one : *readings) {
    if (one.agent && !asked.insert(one.kernel.agent.pid).second) continue;
    Result<void> taken = ask(one, *query, conversations, answer, io);
    if (!taken) return fail(taken.error(), io);
  }
  if (arguments.follow && conversations.empty())
    return fail({.action = "follow flows",
                 .reason = "no agent runs that could tell of changes",
                 .hint = "sudo nids-xdp attach"},
                io);
  merge(answer, *query);
  View view(arguments, services, io);
  if (!view.table(answer)) return kFailed;
  return arguments.follow ? follow(conversations, view, io) : kOk;
}

}  // namespace nids
