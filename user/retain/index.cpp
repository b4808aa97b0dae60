// SPDX-License-Identifier: Apache-2.0
#include "retain/index.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "nids/fd.hpp"
#include "retain/index_codec.hpp"
#include "retain/index_file.hpp"
#include "retain/index_rows.hpp"
#include "retain/sqlite.hpp"

namespace nids {
namespace {

constexpr std::size_t kBatch = 256, kBatchBytes = 1u << 20;  // of alerts that are read at once

// SQLite's numbers have a sign.
std::uint64_t capped(WallTime time) { return std::min<std::uint64_t>(time.ns, INT64_MAX); }

bool is_of_class(const IndexedAlert& alert, const std::vector<std::string>& classes) {
  return classes.empty() ||
         std::ranges::find(classes, alert.alert.flow.class_name) != classes.end();
}

}  // namespace

struct Index::State {
  enum Text {
    kBegin,
    kCommit,
    kSegmentOf,
    kAddSegment,
    kIndexed,
    kAddSpan,
    kForgetAlert,
    kAddAlert,
    kTexts
  };
  static constexpr std::array<const char*, kTexts> kTextOf{
      "BEGIN IMMEDIATE",
      "COMMIT",
      "SELECT id FROM segment WHERE name = ?1",
      "INSERT INTO segment(name, indexed, packets, bytes) VALUES(?1, 0, 0, 0)",
      "UPDATE segment SET indexed = ?2, packets = packets + ?3, bytes = bytes + ?4 WHERE id = ?1",
      "INSERT OR REPLACE INTO span VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
      "DELETE FROM alert WHERE id = ?1",
      "INSERT INTO alert VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
      "?13, ?14, ?15, ?16)"};

  std::string path;
  Fd directory;  // outlives the connection
  sqlite::Connection db;
  std::array<sqlite::Statement, kTexts> statements;  // prepared when first used
  std::optional<std::uint64_t> alerts;               // that there are; empty: to be counted

  bool is_changing() const { return sqlite3_get_autocommit(db.get()) == 0; }
  Error failed(const char* action) const { return sqlite::error_of(db.get(), action); }
  Error damaged() const {
    return {.action = "read the index of kept packets",
            .reason = "it is damaged",
            .hint = reindex_hint(path)};
  }
  Result<void> run(const std::string& text, const char* action);
  sqlite::Statement* statement(Text text);
  Result<void> begin();
  Result<std::uint64_t> segment_id(const SegmentName& name);
  Result<void> add_span(std::uint64_t segment, const FlowSpan& span);
  Result<void> add_alert(const IndexedAlert& alert, std::optional<std::uint64_t> segment);
  Result<void> finish(sqlite::Statement& one);
  Result<std::vector<IndexedAlert>> read_alerts(const AlertQuery& query, bool& is_last) const;
  std::uint64_t number(const char* pragma) const;
};

Result<void> Index::State::run(const std::string& text, const char* action) {
  if (sqlite3_exec(db.get(), text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failed(action);
}

sqlite::Statement* Index::State::statement(Text text) {
  if (!statements[text]) statements[text] = sqlite::Statement(db.get(), kTextOf[text]);
  return statements[text] ? &statements[text] : nullptr;
}

Result<void> Index::State::finish(sqlite::Statement& one) {
  const int result = one.step();
  const Error error = failed("write the index of kept packets");
  one.reset();
  if (result == SQLITE_DONE) return {};
  return error;
}

Result<void> Index::State::begin() {
  if (is_changing()) return {};
  sqlite::Statement* one = statement(kBegin);
  if (!one) return failed("write the index of kept packets");
  return finish(*one);
}

Result<std::uint64_t> Index::State::segment_id(const SegmentName& name) {
  const std::string file = name.file();
  sqlite::Statement* find = statement(kSegmentOf);
  sqlite::Statement* add = statement(kAddSegment);
  if (!find || !add) return failed("write the index of kept packets");
  find->bind(1, std::string_view(file));
  const bool is_known = find->step() == SQLITE_ROW;
  const std::uint64_t id = is_known ? find->number(0) : 0;
  find->reset();
  if (is_known) return id;
  add->bind(1, std::string_view(file));
  if (auto added = finish(*add); !added) return added.error();
  return static_cast<std::uint64_t>(sqlite3_last_insert_rowid(db.get()));
}

Result<void> Index::State::add_span(std::uint64_t segment, const FlowSpan& span) {
  sqlite::Statement* one = statement(kAddSpan);
  if (!one) return failed("write the index of kept packets");
  if (span.offsets.empty()) return {};
  const IndexBytes ends = pack_ends(span.flow.ends), offsets = pack_offsets(span.offsets);
  one->bind(1, segment);
  one->bind(2, span.offsets.front());
  one->bind(3, capped(span.first));
  one->bind(4, capped(span.last));
  one->bind(5, span.flow.id);
  one->bind(6, std::string_view(span.flow.community_id));
  one->bind(7, std::span(ends));
  one->bind(8, std::string_view(span.flow.class_name));
  one->bind(9, span.bytes);
  one->bind(10, std::span(offsets));
  return finish(*one);
}

Result<void> Index::State::add_alert(const IndexedAlert& indexed,
                                     std::optional<std::uint64_t> segment) {
  sqlite::Statement* before = statement(kForgetAlert);
  sqlite::Statement* one = statement(kAddAlert);
  if (!before || !one) return failed("write the index of kept packets");
  const KeptAlert& alert = indexed.alert;
  before->bind(1, alert.id);
  if (auto forgotten = finish(*before); !forgotten) return forgotten;
  if (alerts) *alerts += 1 - static_cast<std::uint64_t>(sqlite3_changes(db.get()));
  const IndexBytes ends = pack_ends(alert.flow.ends);
  one->bind(1, alert.id);
  one->bind(2, capped(alert.time));
  one->bind(3, std::uint64_t{alert.signature_id.gid});
  one->bind(4, std::uint64_t{alert.signature_id.sid});
  one->bind(5, std::uint64_t{alert.signature_id.rev});
  one->bind(6, static_cast<std::uint64_t>(alert.kind));
  one->bind(7, static_cast<std::uint64_t>(alert.severity));
  one->bind(8, std::string_view(alert.signature));
  one->bind(9, alert.flow.id);
  one->bind(10, std::string_view(alert.flow.community_id));
  one->bind(11, std::span(ends));
  one->bind(12, std::string_view(alert.flow.class_name));
  one->bind(13, std::string_view(alert.record));
  if (segment && indexed.place) {
    one->bind(14, *segment);
    one->bind(15, indexed.place->offset);
    one->bind(16, indexed.place->number);
  }
  return finish(*one);
}

std::uint64_t Index::State::number(const char* pragma) const {
  sqlite::Statement one(db.get(), pragma);
  return one && one.step() == SQLITE_ROW ? one.number(0) : 0;
}

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

Result<Index> Index::open(int directory_fd, const std::string& path, Access access,
                          const char* file) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->directory = Fd{::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0)};
  if (!state->directory) return Error{.action = "open the index in " + path, .error_number = errno};
  auto db = open_index_file(state->directory.get(), path, access, file);
  if (!db) return db.error();
  state->db = std::move(*db);
  return Index(std::move(state));
}

Result<void> Index::spans(const SpanQuery& query,
                          const std::function<bool(const FlowSpan&)>& on_span) const {
  std::string text = kSpans;
  if (!query.community_id.empty()) text += " AND community = ?3";
  if (query.flow_id) text += " AND flow = ?4";
  text += " ORDER BY first";
  sqlite::Statement rows(state_->db.get(), text.c_str());
  if (!rows) return state_->failed("ask the index of kept packets");
  rows.bind(1, query.since ? capped(*query.since) : 0);
  rows.bind(2, capped(query.until.value_or(WallTime{~0ull})));
  rows.bind(3, std::string_view(query.community_id));
  rows.bind(4, query.flow_id.value_or(0));
  int result = 0;
  while ((result = rows.step()) == SQLITE_ROW) {
    const auto span = span_at(rows);
    if (!span) return state_->damaged();
    if (!on_span(*span)) return {};
  }
  if (result != SQLITE_DONE) return state_->failed("ask the index of kept packets");
  return {};
}

Result<void> Index::alerts(const AlertQuery& query,
                           const std::function<bool(const IndexedAlert&)>& on_alert) const {
  // Whoever is told may stand still, as a pager does, and a question that is open keeps the
  // writer's log from being cut: so all of a batch is read before any of it is told.
  AlertQuery rest = query;
  for (bool is_last = false; !is_last;) {
    auto batch = state_->read_alerts(rest, is_last);
    if (!batch) return batch.error();
    for (const IndexedAlert& alert : *batch)
      if (is_of_class(alert, query.classes) && !on_alert(alert)) return {};
    if (!batch->empty()) rest.after_id = batch->back().alert.id;
  }
  return {};
}

Result<std::vector<IndexedAlert>> Index::State::read_alerts(const AlertQuery& query,
                                                            bool& is_last) const {
  std::string text = kAlerts;
  if (query.id) text += " AND alert.id = ?5";
  if (!query.community_id.empty()) text += " AND community = ?6";
  text += " ORDER BY alert.id";
  sqlite::Statement rows(db.get(), text.c_str());
  if (!rows) return failed("ask the index of kept packets");
  rows.bind(1, query.after_id);
  rows.bind(2, query.since ? capped(*query.since) : 0);
  rows.bind(3, capped(query.until.value_or(WallTime{~0ull})));
  rows.bind(4, static_cast<std::uint64_t>(query.lowest_severity));
  rows.bind(5, query.id.value_or(0));
  rows.bind(6, std::string_view(query.community_id));
  std::vector<IndexedAlert> batch;
  int result = SQLITE_ROW;
  for (std::size_t bytes = 0; batch.size() < kBatch && bytes < kBatchBytes;) {
    if ((result = rows.step()) != SQLITE_ROW) break;
    auto alert = alert_at(rows);
    if (!alert) return damaged();
    bytes += alert->alert.record.size();
    batch.push_back(std::move(*alert));
  }
  is_last = result == SQLITE_DONE;
  if (result != SQLITE_DONE && result != SQLITE_ROW) return failed("ask the index of kept packets");
  return batch;
}

Result<std::map<SegmentName, IndexedSegment>> Index::segments() const {
  std::map<SegmentName, IndexedSegment> found;
  sqlite::Statement rows(state_->db.get(), "SELECT name, indexed, packets, bytes FROM segment");
  int result = rows ? SQLITE_ROW : SQLITE_ERROR;
  while (result == SQLITE_ROW && (result = rows.step()) == SQLITE_ROW)
    if (auto name = SegmentName::parse(rows.text(0)))
      found[*name] = {rows.number(1), {rows.number(2), rows.number(3)}};
  if (result != SQLITE_DONE) return state_->failed("ask the index of kept packets");
  return found;
}

Result<std::uint64_t> Index::last_alert_id() const {
  sqlite::Statement one(state_->db.get(),
                        "SELECT coalesce(max(id), 0) FROM alert WHERE id BETWEEN 1 AND ?1");
  if (one) one.bind(1, kMaxFoundAlert);
  if (!one || one.step() != SQLITE_ROW) return state_->failed("ask the index of kept packets");
  return one.number(0);
}

Result<void> Index::gather() {
  sqlite::Statement one(state_->db.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
  if (!one || one.step() != SQLITE_ROW || one.number(0) != 0)
    return state_->failed("write the index of kept packets");
  return {};
}

std::uint64_t Index::used_bytes() const {
  const std::uint64_t pages =
      state_->number("PRAGMA page_count") - state_->number("PRAGMA freelist_count");
  return pages * state_->number("PRAGMA page_size");
}

Result<void> Index::add(const SegmentPiece& piece) {
  if (auto begun = state_->begin(); !begun) return begun;
  const auto id = state_->segment_id(piece.segment);
  if (!id) return id.error();
  nids_sum held{};
  for (const FlowSpan& span : piece.spans) {
    if (auto added = state_->add_span(*id, span); !added) return added;
    held.packets += span.offsets.size();
    held.bytes += span.bytes;
  }
  for (const IndexedAlert& alert : piece.alerts)
    if (auto added = state_->add_alert(alert, *id); !added) return added;
  sqlite::Statement* indexed = state_->statement(State::kIndexed);
  if (!indexed) return state_->failed("write the index of kept packets");
  indexed->bind(1, *id);
  indexed->bind(2, piece.end);
  indexed->bind(3, held.packets);
  indexed->bind(4, held.bytes);
  return state_->finish(*indexed);
}

Result<void> Index::add(const IndexedAlert& alert) {
  if (auto begun = state_->begin(); !begun) return begun;
  return state_->add_alert(alert, std::nullopt);
}

Result<void> Index::remove(const SegmentName& segment) {
  if (auto begun = state_->begin(); !begun) return begun;
  const std::string file = segment.file();
  for (const char* text :
       {"DELETE FROM span WHERE segment = (SELECT id FROM segment WHERE name = ?1)",
        "UPDATE alert SET segment = NULL, place = NULL, number = NULL "
        "WHERE segment = (SELECT id FROM segment WHERE name = ?1)",
        "DELETE FROM segment WHERE name = ?1"}) {
    sqlite::Statement one(state_->db.get(), text);
    if (!one) return state_->failed("write the index of kept packets");
    one.bind(1, std::string_view(file));
    if (auto done = state_->finish(one); !done) return done;
  }
  return {};
}

Result<std::uint64_t> Index::remove_alerts_beyond(std::uint64_t count) {
  if (!state_->alerts) {
    sqlite::Statement all(state_->db.get(), "SELECT count(*) FROM alert");
    if (!all || all.step() != SQLITE_ROW) return state_->failed("ask the index of kept packets");
    state_->alerts = all.number(0);
  }
  const std::uint64_t before = *state_->alerts;
  if (before <= count) return 0;
  if (auto begun = state_->begin(); !begun) return begun.error();
  // What was planted goes before ours.
  auto planted =
      state_->run("DELETE FROM alert WHERE id NOT BETWEEN 1 AND " + std::to_string(kMaxFoundAlert),
                  "write the index of kept packets");
  if (!planted) return planted.error();
  *state_->alerts -= static_cast<std::uint64_t>(sqlite3_changes(state_->db.get()));
  if (*state_->alerts <= count) return before - *state_->alerts;
  auto removed =
      state_->run("DELETE FROM alert WHERE id IN (SELECT id FROM alert ORDER BY id LIMIT " +
                      std::to_string(*state_->alerts - count) + ")",
                  "write the index of kept packets");
  if (!removed) return removed.error();
  state_->alerts = count;
  return before - count;
}

Result<void> Index::commit() {
  if (!state_->is_changing()) return {};
  sqlite::Statement* one = state_->statement(State::kCommit);
  if (!one) return state_->failed("write the index of kept packets");
  return state_->finish(*one);
}

void Index::rollback() {
  state_->alerts.reset();
  sqlite3_exec(state_->db.get(), "ROLLBACK", nullptr, nullptr, nullptr);  // or SQLite did it
}

}  // namespace nids
