// SPDX-License-Identifier: Apache-2.0
#include "retain/index_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "nids/fd.hpp"
#include "retain/kept.hpp"

namespace nids {
namespace {

constexpr int kApplication = 0x6e696473;  // "nids"
constexpr int kVersion = 3;
constexpr int kBusy_ms = 5000;
constexpr int kLongestValue = 16 << 20;            // bytes; ours are far below
constexpr std::size_t kLongestSchema = 64u << 10;  // bytes, of another's
constexpr std::int64_t kLargestFile = 64ll << 30;  // more is no index of ours
constexpr int kMostAside = 9;

// Rows of a segment stand together, and go together.
constexpr std::string_view kSegments = R"(
CREATE TABLE segment(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, indexed INTEGER NOT NULL,
  packets INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE span(
  segment INTEGER NOT NULL, place INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  flow INTEGER NOT NULL, community TEXT NOT NULL, ends BLOB NOT NULL, class TEXT NOT NULL,
  bytes INTEGER NOT NULL, offsets BLOB NOT NULL, PRIMARY KEY(segment, place)) WITHOUT ROWID;
CREATE INDEX span_community ON span(community);
)";
constexpr std::string_view kAlerts = R"(
CREATE TABLE alert(
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, gid INTEGER NOT NULL, sid INTEGER NOT NULL,
  rev INTEGER NOT NULL, kind INTEGER NOT NULL, severity INTEGER NOT NULL, signature TEXT NOT NULL,
  flow INTEGER NOT NULL, community TEXT NOT NULL, ends BLOB NOT NULL, class TEXT NOT NULL,
  record TEXT NOT NULL, segment INTEGER, place INTEGER, number INTEGER);
)";
constexpr std::string_view kAlertIndexes = R"(
CREATE INDEX alert_segment ON alert(segment) WHERE segment IS NOT NULL;
CREATE INDEX alert_community ON alert(community);
)";

// The previous version had one generator and no kinds.
constexpr int kVersionBefore = 2;
constexpr std::string_view kAlertsBefore = R"(
CREATE TABLE alert(
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, signature_id INTEGER NOT NULL,
  severity INTEGER NOT NULL, signature TEXT NOT NULL, flow INTEGER NOT NULL,
  community TEXT NOT NULL, ends BLOB NOT NULL, class TEXT NOT NULL, record TEXT NOT NULL,
  segment INTEGER, place INTEGER, number INTEGER);
)";
constexpr std::string_view kToAside = R"(
DROP INDEX alert_segment; DROP INDEX alert_community; ALTER TABLE alert RENAME TO alert_before;
)";
std::string from_aside() {
  const auto number = [](AlertKind kind) { return std::to_string(static_cast<int>(kind)); };
  return "INSERT INTO alert SELECT id, time, " + std::to_string(kGeneratorId) +
         ", signature_id, 1, CASE WHEN signature_id BETWEEN " +
         std::to_string(kFirstOfClassBefore) + " AND " + std::to_string(kLastOfClassBefore) +
         " THEN " + number(AlertKind::kFlaggedProtocol) + " ELSE " +
         number(AlertKind::kStatelessFinding) +
         " END, severity, signature, flow, community, ends, class, record, segment, place, number "
         "FROM alert_before; DROP TABLE alert_before;";
}

bool run(sqlite3* db, const std::string& text) {
  return sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

std::optional<std::string> text_of(sqlite3* db, const char* question) {
  sqlite::Statement one(db, question);
  if (!one || one.step() != SQLITE_ROW) return std::nullopt;
  return one.text(0);
}

// All tables, indexes, views and triggers; empty where that can't be read.
std::optional<std::string> schema_of(sqlite3* db) {
  sqlite::Statement rows(db,
                         "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || "
                         "coalesce(sql, '') FROM sqlite_schema ORDER BY type, name");
  if (!rows) return std::nullopt;
  std::string all;
  int result = 0;
  while ((result = rows.step()) == SQLITE_ROW && all.size() < kLongestSchema)
    all += rows.text(0) + ";\n";
  return result == SQLITE_DONE || result == SQLITE_ROW ? std::optional(all) : std::nullopt;
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

// As SQLite writes it down.
std::string as_written(const std::string& schema) {
  sqlite3* db = nullptr;
  sqlite3_open(":memory:", &db);
  const sqlite::Connection owned(db);
  return run(db, schema) ? schema_of(db).value_or("") : std::string();
}

const std::string& own_schema() {
  static const std::string schema = as_written(joined({kSegments, kAlerts, kAlertIndexes}));
  return schema;
}

const std::string& schema_before() {
  static const std::string schema = as_written(joined({kSegments, kAlertsBefore, kAlertIndexes}));
  return schema;
}

// What stands there: a view or a trigger in a table's place would be run for each question.
enum class Content { kNothing, kOurs, kBefore, kOther, kUnreadable };
Content content_of(sqlite3* db) {
  const auto application = text_of(db, "PRAGMA application_id");
  const auto version = text_of(db, "PRAGMA user_version");
  const auto schema = schema_of(db);
  if (!application || !version || !schema) return Content::kUnreadable;
  if (schema->empty() && *application == "0") return Content::kNothing;
  if (*application != std::to_string(kApplication)) return Content::kOther;
  const auto is = [&](int number, const std::string& own) {
    return *version == std::to_string(number) && *schema == own;
  };
  if (is(kVersionBefore, schema_before())) return Content::kBefore;
  return is(kVersion, own_schema()) ? Content::kOurs : Content::kOther;
}

void trust_nothing(sqlite3* db) {
  sqlite3_busy_timeout(db, kBusy_ms);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kLongestValue);
}

bool begin_writing(sqlite3* db) {
  if (!run(db,
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
           "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 500;"
           "PRAGMA journal_size_limit = 2097152; PRAGMA cache_size = -32768"))
    return false;
  // Who may only read could not make the files beside it anew.
  int stays = 1;
  return sqlite3_file_control(db, nullptr, SQLITE_FCNTL_PERSIST_WAL, &stays) == SQLITE_OK;
}

bool change_tables(sqlite3* db, const std::string& how) {
  return run(db, "BEGIN IMMEDIATE;" + how +
                     "PRAGMA application_id = " + std::to_string(kApplication) +
                     "; PRAGMA user_version = " + std::to_string(kVersion) + "; COMMIT;");
}

bool bring_tables_up_to_date(sqlite3* db, Content content) {
  if (content == Content::kNothing)
    return change_tables(db, joined({kSegments, kAlerts, kAlertIndexes}));
  if (content == Content::kBefore)
    return change_tables(db, joined({kToAside, kAlerts, kAlertIndexes, from_aside()}));
  return true;
}

bool is_odd(int directory_fd, const std::string& file) {
  struct stat status {};
  return ::fstatat(directory_fd, file.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         !S_ISREG(status.st_mode);
}

}  // namespace

std::string reindex_hint(const std::string& path) {
  return "sudo nids-xdp pcap reindex --retain " + path + " makes it from the packets";
}

Result<sqlite::Connection> open_index_file(int directory_fd, const std::string& path,
                                           IndexAccess access, const char* file) {
  const bool is_writer = access == IndexAccess::kWrite;
  const std::string action = "open the index " + path + "/" + file;
  // Before SQLite would, to have the rights that the segments have.
  if (is_writer)
    Fd{::openat(directory_fd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640)};
  int result = SQLITE_OK;
  auto db = sqlite::open_in(directory_fd, file,
                            is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, result);
  if (result != SQLITE_OK) return sqlite::error_of(db.get(), action);
  if (is_writer && sqlite3_db_readonly(db.get(), "main") != 0)
    return Error{.action = action, .error_number = EACCES};
  trust_nothing(db.get());
  const Content content = content_of(db.get());
  if (content == Content::kUnreadable) return sqlite::error_of(db.get(), action);
  if (content == Content::kOther || (content != Content::kOurs && !is_writer))
    return Error{.action = action,
                 .reason = "it is none, or of another version",
                 .hint = reindex_hint(path)};
  if (is_writer && (!begin_writing(db.get()) || !bring_tables_up_to_date(db.get(), content)))
    return sqlite::error_of(db.get(), action);
  return db;
}

std::string odd_index_file(int directory_fd) {
  if (is_odd(directory_fd, kIndexFile)) return kIndexFile;
  for (const char* beside : kBesideIndex)
    if (const std::string file = std::string(kIndexFile) + beside; is_odd(directory_fd, file))
      return file;
  return "";
}

bool is_index_unusable(int directory_fd) {
  if (!odd_index_file(directory_fd).empty()) return true;
  const Fd fd{::openat(directory_fd, kIndexFile, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  if (!fd) return errno == EACCES || errno == EPERM;
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && status.st_size > kLargestFile) return true;
  int result = SQLITE_OK;
  const auto db = sqlite::open_in(directory_fd, kIndexFile, SQLITE_OPEN_READWRITE, result);
  if (result != SQLITE_OK) return false;
  trust_nothing(db.get());
  const auto is_damaged = [&] {
    const int why = sqlite3_errcode(db.get());
    return why == SQLITE_CORRUPT || why == SQLITE_NOTADB;
  };
  const Content content = content_of(db.get());
  if (content == Content::kUnreadable) return is_damaged();
  if (content == Content::kNothing || content == Content::kOther) return content == Content::kOther;
  const auto checked = text_of(db.get(), "PRAGMA quick_check(1)");
  return checked ? *checked != "ok" : is_damaged();
}

// The last one that was put aside gives way, where it is a file.
Result<void> put_index_aside(int directory_fd) {
  const auto moved = [&](const std::string& from, const std::string& to) {
    return ::renameat(directory_fd, from.c_str(), directory_fd, to.c_str()) == 0 || errno == ENOENT;
  };
  const auto all_moved = [&](const std::string& to) {
    if (!moved(kIndexFile, to)) return false;
    for (const char* beside : kBesideIndex)
      if (!moved(std::string(kIndexFile) + beside, to + beside)) return false;
    return true;
  };
  std::string to = std::string(kIndexFile) + ".bad";
  for (int number = 2; !all_moved(to); ++number) {
    if (number > kMostAside)
      return Error{.action = std::string("put ") + kIndexFile + " aside", .error_number = errno};
    to = std::string(kIndexFile) + ".bad-" + std::to_string(number);
  }
  return {};
}

}  // namespace nids
