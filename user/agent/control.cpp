// SPDX-License-Identifier: Apache-2.0
#include "agent/control.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "agent/flow_query.hpp"
#include "log/flow_json.hpp"

namespace nids {
namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using Json = nlohmann::ordered_json;

constexpr std::size_t kPieceBytes = 64 << 10;                 // of an answer, sent at once
constexpr std::size_t kFlowsAtOnce = 16;                      // of an answer, read under a mutex
constexpr auto kHeldAtMost = std::chrono::microseconds(250);  // a worker's mutex

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string control_path(const std::string& run_directory, std::uint64_t pid) {
  return run_directory + "/agent-" + std::to_string(pid) + ".sock";
}

class Control::Server {
 public:
  Server(Fd listener, std::vector<FlowShard> flows, const Names& names, FlowChanges& changes,
         const Limits& limits)
      : flows_(std::move(flows)),
        names_(names),
        changes_(changes),
        limits_(limits),
        acceptor_(io_, Stream(), listener.release()) {}
  ~Server() { changes_.follow(false); }

  void poll(std::chrono::nanoseconds budget);
  bool is_answering() const;
  int fd() { return acceptor_.native_handle(); }

 private:
  class Client;

  using Clock = std::chrono::steady_clock;

  void accept();
  void follow_or_not();
  void give_changes(Clock::time_point end);
  void work_until(Clock::time_point end);

  std::vector<const FlowTable*> tables() const;

  const std::vector<FlowShard> flows_;
  const Names& names_;
  FlowChanges& changes_;
  Limits limits_;
  asio::io_context io_;
  Stream::acceptor acceptor_;
  std::list<std::shared_ptr<Client>> clients_;  // the next to be worked for is first
  bool is_accepting_ = false, is_following_ = false;
};

// One question, its answer bit by bit, and then changes as they come.
class Control::Server::Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Stream::socket socket, Server& server)
      : socket_(std::move(socket)),
        timer_(server.io_),
        server_(server),
        question_(server.limits_.max_question_bytes) {}

  void start() {
    expect();
    asio::async_read_until(socket_, question_, '\n',
                           [self = shared_from_this()](const auto& error, std::size_t) {
                             if (error) return self->close();
                             self->take_question();
                           });
  }
  bool is_open() const { return socket_.is_open(); }
  bool is_following() const { return is_open() && is_answered_ && query_.follow; }
  // Something to do that waits for nobody.
  bool has_work() const {
    return is_open() && sending_.empty() && (unchecked_ || search_ || !selection_.flows.empty());
  }

  // A part of the answer, until about `end` at most. Call it only if has_work().
  void work(Clock::time_point end) {
    if (unchecked_) return check();
    if (search_) return search(end);
    add_flows();
  }

  void change(const FlowChanges::Change& change) {
    const std::string& name = server_.names_.class_name(change.class_id);
    if (!is_following() || !query_.wants(change.record.ends, name)) return;
    if (unsent_.size() > server_.limits_.max_unsent_bytes) return leave_out(1);
    if (left_out_ != 0) unsent_ += line_of({{"left_out", std::exchange(left_out_, 0)}});
    static constexpr const char* kSigns[] = {"+", "~", "-"};
    unsent_ += line_of({{"change", kSigns[static_cast<int>(change.kind)]},
                        {"flow", json_of(change.record, name)}});
    if (sending_.empty()) send();
  }
  void leave_out(std::uint64_t changes) {
    if (is_following()) left_out_ += changes;
  }

 private:
  // Whoever asks has to be quick about it, and about taking the answer.
  void expect() {
    timer_.expires_after(std::chrono::seconds(server_.limits_.question_seconds));
    timer_.async_wait([self = shared_from_this()](const auto& error) {
      if (!error) self->close();
    });
  }

  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

  Json json_of(const FlowRecord& record, const std::string& class_name) const {
    Json json = flow_json(record, class_name);
    json["in_iface"] = server_.names_.link(record.ifindex);
    return json;
  }

  void take_question() {
    timer_.cancel();  // the answer is ours to give
    const auto bytes = question_.data();
    const std::string line(asio::buffers_begin(bytes), asio::buffers_end(bytes));
    auto question = FlowQuestion::parse(line);
    if (!question) return refuse(question.error());
    query_ = std::move(question->query);
    unchecked_ = std::move(question->filter);
    if (!unchecked_) begin_search();
  }

  void refuse(const Error& error) {
    unsent_ = line_of({{"error", error.message()}});
    is_answered_ = true;
    send();
  }

  void check() {
    auto checked = unchecked_->step();
    if (!checked) return;
    unchecked_.reset();
    if (!*checked) return refuse(checked->error());
    query_.filter = std::move(**checked);
    begin_search();
  }

  void begin_search() { search_.emplace(server_.tables(), query_, server_.names_.classes); }

  // Makes several steps under the mutex: to wait for it may take much longer than a step, because a
  // worker releases it only after each drain of its rings.
  void search(Clock::time_point end) {
    const auto table = search_->table();
    std::unique_lock<FairMutex> lock;
    if (table) lock = std::unique_lock(*server_.flows_[*table].mutex);
    end = std::min(end, Clock::now() + kHeldAtMost);
    bool has_more = true;
    do has_more = search_->step();
    while (has_more && search_->table() == table && Clock::now() < end);
    if (has_more) return;
    selection_ = search_->take();
    search_.reset();
    unsent_ = line_of({{"total", selection_.total}});
    if (selection_.flows.empty()) end_answer();
  }

  // The next flows of the answer, as they are by now.
  void add_flows() {
    const std::size_t first = next_;
    next_ = std::min(selection_.flows.size(), first + kFlowsAtOnce);
    std::array<std::optional<std::pair<FlowRecord, std::uint8_t>>, kFlowsAtOnce> records;
    const std::span<const FlowPlace> places(&selection_.flows[first], next_ - first);
    for (std::size_t number = 0; number < server_.flows_.size(); ++number) {
      const auto is_here = [&](const FlowPlace& one) { return one.table == number; };
      if (std::ranges::none_of(places, is_here)) continue;
      const FlowShard& shard = server_.flows_[number];
      const std::lock_guard lock(*shard.mutex);
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (!is_here(places[i])) continue;
        // Else it ended meanwhile.
        if (const Flow* flow = shard.flows->at(places[i].place, places[i].id))
          records[i].emplace(shard.flows->live_record_of(*flow), flow->class_id);
      }
    }
    for (const auto& one : records)
      if (one) unsent_ += line_of(json_of(one->first, server_.names_.class_name(one->second)));
    if (next_ == selection_.flows.size()) return end_answer();
    if (unsent_.size() >= kPieceBytes) send();
  }

  void end_answer() {
    selection_.flows = {};
    is_answered_ = true;
    if (query_.follow) unsent_ += line_of({{"following", true}});
    send();
  }

  void send() {
    if (unsent_.empty()) {
      timer_.cancel();
      if (!is_answered_) return;  // there is work to do first
      return query_.follow ? await_end() : close();
    }
    sending_ = std::exchange(unsent_, {});
    expect();
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this()](const auto& error, std::size_t) {
                        self->sending_.clear();
                        if (error) return self->close();
                        self->send();
                      });
  }

  // A client that follows says nothing more until it goes.
  void await_end() {
    if (std::exchange(is_awaiting_end_, true)) return;
    socket_.async_wait(Stream::socket::wait_read,
                       [self = shared_from_this()](const auto&) { self->close(); });
  }

  Stream::socket socket_;
  asio::steady_timer timer_;
  Server& server_;
  asio::streambuf question_;
  FlowQuery query_;
  // What is left to do for the answer, one after the other.
  std::optional<UncheckedFilter> unchecked_;
  std::optional<FlowSearch> search_;
  FlowSelection selection_;
  std::size_t next_ = 0;  // of the selection, to be sent
  bool is_answered_ = false, is_awaiting_end_ = false;
  std::string unsent_, sending_;
  std::uint64_t left_out_ = 0;  // changes
};

void Control::Server::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, Stream::socket socket) {
    clients_.remove_if([](const auto& one) { return !one->is_open(); });
    // One client too many is not kept waiting, but told nothing.
    if (!error && clients_.size() < limits_.max_clients) {
      clients_.push_back(std::make_shared<Client>(std::move(socket), *this));
      clients_.back()->start();
    }
    is_accepting_ = false;  // again at the next poll(): an error that stays would never let go
  });
}

void Control::Server::poll(std::chrono::nanoseconds budget) {
  const auto end = Clock::now() + budget;
  if (!std::exchange(is_accepting_, true)) accept();
  io_.poll();
  io_.restart();
  clients_.remove_if([](const auto& one) { return !one->is_open(); });
  follow_or_not();
  give_changes(Clock::now() + budget / 2);
  work_until(end);
}

// At least one, so that all are given in the end.
void Control::Server::give_changes(Clock::time_point end) {
  if (const std::uint64_t left_out = changes_.take_left_out(); left_out != 0)
    for (const auto& client : clients_) client->leave_out(left_out);
  while (const auto change = changes_.take()) {
    for (const auto& client : clients_) client->change(*change);
    if (Clock::now() >= end) return;
  }
}

std::vector<const FlowTable*> Control::Server::tables() const {
  std::vector<const FlowTable*> tables;
  for (const FlowShard& one : flows_) tables.push_back(one.flows);
  return tables;
}

// One part for each in turn, so that a costly question holds up no cheap one; at least one.
void Control::Server::work_until(Clock::time_point end) {
  for (std::size_t idle = 0; idle < clients_.size();) {
    Client& client = *clients_.front();
    clients_.splice(clients_.end(), clients_, clients_.begin());
    idle = client.has_work() ? 0 : idle + 1;
    if (!client.has_work()) continue;
    client.work(end);
    if (Clock::now() >= end) return;
  }
}

bool Control::Server::is_answering() const {
  return !changes_.empty() ||
         !std::ranges::all_of(clients_, [](const auto& one) { return one->is_following(); });
}

// Workers make records of changes only while somebody wants them.
void Control::Server::follow_or_not() {
  const bool is_wanted = std::any_of(clients_.begin(), clients_.end(),
                                     [](const auto& one) { return one->is_following(); });
  if (is_wanted != std::exchange(is_following_, is_wanted)) changes_.follow(is_wanted);
}

Control::Control(Fd listener, std::vector<FlowShard> flows, const Names& names,
                 FlowChanges& changes, const Limits& limits)
    : server_(std::make_unique<Server>(std::move(listener), std::move(flows), names, changes,
                                       limits)) {}

Control::~Control() = default;

void Control::poll(std::chrono::nanoseconds budget) { server_->poll(budget); }
bool Control::is_answering() const { return server_->is_answering(); }
int Control::fd() const { return server_->fd(); }

}  // namespace nids
