// SPDX-License-Identifier: Apache-2.0
#include "agent/child.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>
#include <optional>
#include <system_error>
#include <vector>

#include "agent/agent.hpp"
#include "agent/class_table.hpp"
#include "agent/confinement.hpp"
#include "agent/joined_links.hpp"
#include "agent/live_metrics.hpp"
#include "agent/metrics_server.hpp"
#include "agent/privileges.hpp"
#include "agent/process.hpp"
#include "agent/settings.hpp"
#include "source/flow_commands.hpp"
#include "source/live_tables.hpp"

namespace nids {
namespace {

constexpr auto kUntoldRepair = std::chrono::seconds(1);
constexpr auto kSayEvery = std::chrono::milliseconds(100);

// Told before the first record is read. Where the parent was killed before that, nobody who comes
// after it knows of this process, and it must not read.
bool tell_reader(const std::vector<Attachment>& attachments, int parent) {
  const ProcessIdentity self = this_process();
  for (const Attachment& one : attachments) {
    const Mapped<nids_agent_counters> agent{one.maps.fd("nids_agent")};
    if (!agent) return false;
    agent->reader_start_ticks = self.start_ticks;
    __atomic_store_n(&agent->reader_pid, self.pid, __ATOMIC_SEQ_CST);
  }
  return getppid() == parent;
}

// In a thread, since nothing inside SQLite says that it goes on, and a slow disk may take minutes.
Result<Repaired> start_and_say_so(Store& store, ParentLink& parent, const ChildParts& parts) {
  const auto begun = std::chrono::steady_clock::now();
  std::atomic<bool> goes_on = true;
  std::future<Result<Repaired>> starting;
  try {
    starting =
        std::async(std::launch::async, [&] { return store.start([&] { return goes_on.load(); }); });
  } catch (const std::system_error&) {  // there is no thread to be had
    return store.start([&] { return parent.goes_on_starting(); });
  }
  for (bool is_told = false; starting.wait_for(kSayEvery) == std::future_status::timeout;) {
    if (!is_told && std::chrono::steady_clock::now() - begun > kUntoldRepair) {
      parts.warning("bringing the index in " + store.directory() +
                    " up to date; what comes meanwhile waits, and is lost where the ring is full");
      is_told = true;
    }
    goes_on = parent.goes_on_starting();
  }
  return starting.get();
}

// Without privileges: what stands in the directory may be another agent's, that was taken over.
void start_store(Store& store, ParentLink& parent, const ChildParts& parts) {
  const auto repaired = start_and_say_so(store, parent, parts);
  if (!repaired)
    return parts.error(repaired.error().message() + "; packets are kept, but can't be asked for");
  if (repaired->is_anew)
    parts.warning("the index in " + store.directory() +
                  " could not be used: it was put aside as .bad, and made anew from the packets");
  if (repaired->cut_bytes != 0)
    parts.warning(std::to_string(repaired->cut_bytes) +
                  " bytes of a packet that was not written to its end were cut off");
  for (const std::string& file : repaired->damaged)
    parts.warning("the packets in " + file + " can't be read to its end; it stays as it is");
}

// All of ours close on exec; others were open before this program began.
void close_descriptors_of_the_caller() {
  const Handle<DIR, closedir> entries{opendir("/proc/self/fd")};
  if (!entries) return;
  std::vector<int> foreign;
  while (const dirent* entry = readdir(entries.get())) {
    const int fd = std::atoi(entry->d_name);  // 0 for the dots
    const int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) foreign.push_back(fd);
  }
  for (const int fd : foreign) close(fd);
}

// It stays readable in the memory that the program was started with.
void forget_environment() {
  for (char** one = environ; one && *one; ++one) explicit_bzero(*one, std::strlen(*one));
  clearenv();
}

// What is opened later, by name, lies in the packet directory.
Result<void> confine_agent(const ChildParts& parts, const std::vector<Watched>& watched) {
  std::vector<int> directories;
  if (parts.sinks.store) directories.push_back(parts.sinks.store->directory_fd());
  const auto confinement = confine({.directories = directories});
  if (!confinement) return confinement.error();
  for (const Watched& one : watched) one.counters[0].confinement = *confinement;
  if (parts.confined) parts.confined();
  return {};
}

// Reads what the metrics need of an interface now, because its maps are closed later.
MeteredInterface metered(const Attachment& attachment, const Watched& watched) {
  auto first = attachment.maps.read();
  return {.name = attachment.ifname,
          .first = first ? std::move(*first) : KernelReading{.info = watched.tables.info},
          .blocks = watched.tables.counters.values(),
          .agent = {attachment.maps.fd("nids_agent"), watched.tables.info.rings + std::size_t{1}}};
}

}  // namespace

Result<void> leave_terminal(Fd out, Fd err) {
  const Error failed{.action = "leave the terminal", .error_number = 0};
  if (setsid() < 0) return Error{.action = failed.action, .error_number = errno};
  forget_environment();
  const Fd null{open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(out.get(), STDOUT_FILENO) < 0 ||
      dup2(err.get(), STDERR_FILENO) < 0 || chdir("/") != 0)
    return Error{.action = failed.action, .error_number = errno};
  close_descriptors_of_the_caller();
  return {};
}

void run_child(ChildParts parts) {
  if (!tell_reader(parts.attachments, parts.parent)) _exit(1);
  std::map<std::uint32_t, std::string> names;
  std::vector<std::uint32_t> attached;
  for (const Attachment& one : parts.attachments) {
    attached.push_back(static_cast<std::uint32_t>(one.ifindex));
    names[attached.back()] = one.ifname;
  }
  const Links links = links_among(parts.links, attached);
  // All that needs root is opened now; what the agent does not need it does not keep.
  std::vector<Watched> watched;
  std::vector<MeteredInterface> metered_interfaces;
  std::map<std::uint32_t, FlowCommands> commands;  // into the tables that are watched
  Result<void> result;
  for (Attachment& one : parts.attachments) {
    auto rings = one.maps.rings();
    auto tables = FlowMaps::of(one.maps);
    if (!rings) result = rings.error();
    if (!tables) result = tables.error();
    // A program without the feature does not read them.
    if (tables && (tables->info.features & NIDS_FEATURE_COMMANDS) != 0)
      commands.emplace(static_cast<std::uint32_t>(one.ifindex), FlowCommands(tables_of(*tables)));
    MappedArray<nids_agent_counters> counters(one.maps.fd("nids_agent"),
                                              rings ? 1 + rings->size() : 1);
    if (!counters)
      result = Error{.action = "map the counters of " + one.ifname, .error_number = errno};
    if (rings && tables && counters) {
      watched.push_back({std::move(*rings), std::move(*tables), std::move(counters)});
      metered_interfaces.push_back(metered(one, watched.back()));
    }
    one.maps.keep_only({});
  }
  Pipeline::Steer steer = [&](std::uint32_t ifindex, const FlowIdentity& flow,
                              nids_slot_address slot, std::uint8_t word) {
    const auto found = commands.find(ifindex);
    return found == commands.end() ? 0 : found->second.give(flow, slot, word);
  };
  parts.sinks.warning = parts.warning;
  const bool is_stdout = parts.config.eve.path == "-";
  const std::uint64_t rotate_bytes = is_stdout ? 0 : parts.config.eve.rotate_bytes;
  ParentLink parent(std::move(parts.link), rotate_bytes);
  const auto ticks = sample_ticks(watched.empty() ? 1 : watched.front().tables.info.tick_ns);
  if (!ticks) result = ticks.error();
  if (result) result = drop_privileges(agent_user());
  if (result) result = confine_agent(parts, watched);
  if (result && parts.sinks.eve && !parts.sinks.eve->start_thread(rotate_bytes))
    parts.warning("no thread can be had to write alerts; a disk that hangs will stop the agent");
  MeteredClasses classes(abi_classes(parts.config, parts.classes));
  std::optional<MetricsServer> metrics;
  if (parts.metrics_listener)
    metrics.emplace(
        std::move(parts.metrics_listener),
        [&] { return live_metrics(metered_interfaces, classes); }, MetricsServer::Limits{});
  if (result && metrics)
    if (auto started = metrics->start(); !started) parts.warning(started.error().message());
  if (result && parts.sinks.store) start_store(*parts.sinks.store, parent, parts);
  if (parts.sinks.store) parts.sinks.store->serve(number_of_workers(watched));
  Outputs outputs(output_settings(parts.config, std::move(names),
                                  class_rules(parts.config, parts.classes), links),
                  std::move(parts.sinks));
  for (const Watched& one : watched) outputs.watch(one.tables.info.ifindex, one.counters[0]);
  if (result)
    result = run_agent({.config = parts.config,
                        .classes = parts.classes,
                        .interfaces = watched,
                        .ticks = *ticks,
                        .links = links,
                        .outputs = outputs,
                        .selection = parts.selection,
                        .steer = std::move(steer),
                        .control_listener = std::move(parts.control_listener),
                        .parent = parent,
                        .classes_changed = [&](const auto& now) { classes.set(now); },
                        .warning = parts.warning});
  if (!result) parts.error(result.error().message());
  // Not exit(): the parent's objects are here too, and are not ours to end.
  _exit(result ? 0 : 1);
}

}  // namespace nids
