// SPDX-License-Identifier: Apache-2.0
// Owners of what the kernel and libbpf hand out: no naked fd, object or mapping.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "nids/fd.hpp"

namespace nids {

template <auto Free>
struct Freer {
  void operator()(auto* p) const noexcept { Free(p); }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, Freer<Free>>;

// Descriptors kept for the way back: at its limit a process could not even undo what it did.
class SpareDescriptors {
 public:
  // False where so many can't be had.
  [[nodiscard]] bool reserve(std::size_t count) {
    while (fds_.size() < count) {
      Fd fd{open("/dev/null", O_RDONLY | O_CLOEXEC)};
      if (!fd) return false;
      fds_.push_back(std::move(fd));
    }
    return true;
  }
  void release() { fds_.clear(); }

 private:
  std::vector<Fd> fds_;
};

// All values of a memory-mapped array, which other CPUs and processes may write meanwhile. A const
// T is mapped to be read only.
template <class T>
class MappedArray {
 public:
  MappedArray() = default;
  // Null where the map can't be mapped; errno says why.
  MappedArray(int fd, std::size_t count) : values_(nullptr, Unmap{count}) {
    constexpr int kRights = std::is_const_v<T> ? PROT_READ : PROT_READ | PROT_WRITE;
    void* address = mmap(nullptr, count * sizeof(T), kRights, MAP_SHARED, fd, 0);
    if (address != MAP_FAILED) values_.reset(static_cast<T*>(address));
  }
  T* get() const noexcept { return values_.get(); }
  T& operator[](std::size_t index) const noexcept { return values_.get()[index]; }
  std::span<T> values() const noexcept {
    return {values_.get(), values_ ? values_.get_deleter().count : 0};
  }
  explicit operator bool() const noexcept { return values_ != nullptr; }

 private:
  struct Unmap {
    std::size_t count = 0;
    void operator()(T* p) const noexcept {
      munmap(const_cast<std::remove_const_t<T>*>(p), count * sizeof(T));
    }
  };
  std::unique_ptr<T, Unmap> values_;
};

// Part of a map, mapped to be read only.
class MappedPages {
 public:
  // Null where it can't be mapped; errno says why.
  MappedPages(int fd, std::size_t offset, std::size_t bytes) : bytes_(nullptr, Unmap{bytes}) {
    void* address = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (address != MAP_FAILED) bytes_.reset(static_cast<const std::byte*>(address));
  }
  const std::byte* get() const noexcept { return bytes_.get(); }
  explicit operator bool() const noexcept { return bytes_ != nullptr; }

 private:
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(const std::byte* p) const noexcept { munmap(const_cast<std::byte*>(p), bytes); }
  };
  std::unique_ptr<const std::byte, Unmap> bytes_;
};

// One value of type T in a memory-mapped map.
template <class T>
class Mapped {
 public:
  Mapped() = default;
  // Null where the map can't be mapped; errno says why.
  explicit Mapped(int fd) : value_(fd, 1) {}
  T* get() const noexcept { return value_.get(); }
  T* operator->() const noexcept { return value_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(value_); }

 private:
  MappedArray<T> value_;
};

}  // namespace nids
