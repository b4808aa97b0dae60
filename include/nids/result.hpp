// SPDX-License-Identifier: Apache-2.0
// Result<T> and Error: how a stage says that something failed. Nothing here prints or throws.
#pragma once

#include <cassert>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace nids {

// What was attempted, on which object, why it failed, and what to do next.
struct [[nodiscard]] Error {
  std::string action;    // "attach XDP program to eth0", continues "cannot ..."
  int error_number = 0;  // errno, 0 where no system call failed
  std::string reason{};  // where errno does not tell
  std::string hint{};

  // "cannot ACTION: REASON", and a second line "  hint: HINT" where there is one.
  std::string message() const {
    std::string text = "cannot " + action;
    if (!reason.empty()) text += ": " + reason;
    if (error_number != 0) text += std::string(": ") + std::strerror(error_number);
    if (!hint.empty()) text += "\n  hint: " + hint;
    return text;
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }

  T& operator*() { return value(); }
  const T& operator*() const { return const_cast<Result*>(this)->value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &const_cast<Result*>(this)->value(); }

  const Error& error() const {
    assert(state_.index() == 1);
    return std::get<1>(state_);
  }

 private:
  T& value() {
    assert(state_.index() == 0);
    return std::get<0>(state_);
  }
  std::variant<T, Error> state_;
};

// Success carries nothing.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const noexcept { return !error_.has_value(); }
  const Error& error() const {
    assert(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace nids
