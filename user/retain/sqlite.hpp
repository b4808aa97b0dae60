// SPDX-License-Identifier: Apache-2.0
// Owners of SQLite's connection and statements, and their results as Error. Knows no table.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nids/result.hpp"

namespace nids::sqlite {

struct CloseConnection {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

// A database of a directory, found by the directory's descriptor, so that who may not enter those
// above it can open it; never through a link. The descriptor has to stay open as long. `result` is
// SQLite's, and the connection tells more, if there is one.
Connection open_in(int directory_fd, const char* file, int flags, int& result);

inline Error error_of(sqlite3* db, std::string action) {
  return {.action = std::move(action), .reason = db ? sqlite3_errmsg(db) : "no memory"};
}

// A prepared statement, bound and stepped through from the first parameter and column on.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, const char* text) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
  }
  explicit operator bool() const { return statement_ != nullptr; }

  // Text and bytes have to live until the statement is reset.
  void bind(int at, std::uint64_t value) {
    sqlite3_bind_int64(statement_.get(), at, static_cast<sqlite3_int64>(value));
  }
  void bind(int at, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(int at, std::span<const std::byte> bytes) {
    static constexpr std::byte kNone{};  // a null pointer would be NULL, not empty
    const void* data = bytes.empty() ? &kNone : bytes.data();
    sqlite3_bind_blob64(statement_.get(), at, data, bytes.size(), SQLITE_STATIC);
  }

  int step() { return sqlite3_step(statement_.get()); }  // SQLITE_ROW, SQLITE_DONE or an error
  void reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
  }

  bool is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  std::uint64_t number(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
  }
  std::string text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return text ? std::string(text, size) : std::string();
  }
  // Valid until the next step.
  std::span<const std::byte> bytes(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return {data, data ? size : 0};
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace nids::sqlite
