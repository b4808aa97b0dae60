// SPDX-License-Identifier: Apache-2.0
// Sends flow records to one IPFIX collector over UDP. Never blocks, never tries twice, and counts
// what the kernel did not take; reads no clock.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <utility>

#include "export/ipfix.hpp"
#include "flow/flow_record.hpp"
#include "nids/endpoint.hpp"
#include "nids/fd.hpp"
#include "nids/result.hpp"
#include "nids/time.hpp"

namespace nids {

// A UDP socket, connected; an error has the errno of connect(2).
[[nodiscard]] Result<Fd> connect_to_collector(const Endpoint& collector);

class UdpExporter {
 public:
  struct Options {
    std::uint32_t domain = 1;
    std::uint32_t template_seconds = 60;
  };

  // Of records; each is in one of them once its message was sent.
  struct Counts {
    std::uint64_t delivered = 0;  // to the kernel; UDP tells no more
    std::uint64_t lost = 0;       // the kernel refused them, or told later that nobody listened
    std::uint64_t own = 0;        // of the flow to the collector itself: left out
  };

  // Needs no privilege. A network that is not up yet is no error: it is tried again for each
  // message. Errors: an address that never will do, or no socket to be had.
  [[nodiscard]] static Result<UdpExporter> open(const Endpoint& collector, Options options);

  // Sends the message so far where this record no longer fits in it.
  void add(const FlowRecord& record, WallTime now);

  // To be called each second, and at the end, since the destructor has no time: sends what is
  // there, and templates where they are due, be there records or not.
  void flush(WallTime now);

  // Whether it is the flow between this socket and the collector, whoever is taken for its client.
  bool is_own(const FlowRecord& record) const;

  // Without a route, or with another address than it had, the socket has to be connected anew,
  // which a confined agent may not do: it is given another by connect_to_collector().
  bool wants_socket() const { return local_.ip_version == 0; }
  void replace_socket(Fd connected);

  const Counts& counts() const { return counts_; }
  // Why the last message was lost; 0 where it was not, as far as the kernel has told. Right after
  // flush() it is that of the message before, where this one was taken.
  int error_number() const { return error_number_; }

 private:
  UdpExporter(Fd socket, const Endpoint& collector, Options options)
      : socket_(std::move(socket)), collector_(collector), options_(options) {}

  bool templates_due(WallTime now) const;
  void begin_message(WallTime now);
  void send_message(WallTime now);
  int try_send(WallTime now);
  int connect_anew();
  void take_refusal();
  void refused(int error_number);

  Fd socket_;
  Endpoint collector_;
  Endpoint local_;  // none while there is no route
  Options options_;
  ipfix::Message message_;
  std::uint32_t sequence_ = 0;
  WallTime templates_sent_;
  bool must_send_templates_ = true;
  std::uint32_t in_doubt_ = 0;  // records of the last message, where the kernel took it
  bool is_taken_ = false;       // it was, and nobody has refused it yet
  int error_number_ = 0;
  Counts counts_;
};

}  // namespace nids
