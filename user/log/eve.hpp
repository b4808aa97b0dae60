// SPDX-License-Identifier: Apache-2.0
// Alerts as EVE JSON, the lines that Suricata's users and tools read. Opens no file and never
// lets half a line run into the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alert/alert.hpp"
#include "alert/evidence.hpp"
#include "nids/abi/counters.h"

namespace nids {

// An alert as an EVE line. Rendering is most of its cost, so it is done once, although the line is
// written before and after it is known where the packet is stored.
class EveAlert {
 public:
  explicit EveAlert(const Alert& alert);

  // One line with its newline. src is the client's side, whoever sent the packet; `direction` says
  // who did.
  std::string line(const std::optional<Evidence>& evidence = std::nullopt) const;

 private:
  std::string start_;  // up to `capture_file`
  std::string alert_;  // the object of that name, up to `capture_file` in its context
};

class EveLog {
 public:
  // Owns `fd`, which must be opened with O_APPEND; -1: no file yet. The process must ignore SIGPIPE
  // and SIGXFSZ.
  explicit EveLog(int fd) : fd_(fd) {}
  EveLog(EveLog&& other) noexcept;
  EveLog& operator=(EveLog&&) = delete;
  ~EveLog();

  // One write(2) for a line that ends in a newline; raises eve_lines or eve_lost, which other
  // threads may raise too. Blocks only where the fd does.
  void write(std::string_view line, nids_agent_counters& counters);

  // From now on write() waits for the reader of a pipe or terminal. The file description is to be
  // nobody else's.
  void wait_for_reader() const;

  // Goes on in another file, which it owns from now on. Of the old one nothing is cut.
  void replace(int fd);

  // Where the last line ends, whoever else writes to the file; 0: no such thing, as in a pipe.
  std::uint64_t end_bytes() const;

  // Whether the last line was lost, or there is no file.
  bool degraded() const { return is_degraded_ || fd_ < 0; }

 private:
  std::size_t write_once(std::string_view bytes);
  bool take_back(std::size_t bytes);

  int fd_;
  bool is_degraded_ = false;
  bool is_torn_ = false;  // part of a line stands at the end and can't be taken back
};

}  // namespace nids
