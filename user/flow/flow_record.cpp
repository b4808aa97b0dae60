// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_record.hpp"

namespace nids {

// No default case: the compiler then says which name a new value lacks.
const char* name_of(ConnState state) {
  switch (state) {
    case ConnState::kS0:
      return "S0";
    case ConnState::kS1:
      return "S1";
    case ConnState::kSF:
      return "SF";
    case ConnState::kREJ:
      return "REJ";
    case ConnState::kS2:
      return "S2";
    case ConnState::kS3:
      return "S3";
    case ConnState::kRSTO:
      return "RSTO";
    case ConnState::kRSTR:
      return "RSTR";
    case ConnState::kRSTOS0:
      return "RSTOS0";
    case ConnState::kRSTRH:
      return "RSTRH";
    case ConnState::kSH:
      return "SH";
    case ConnState::kSHR:
      return "SHR";
    case ConnState::kOTH:
      return "OTH";
  }
  return "OTH";
}

const char* name_of(FlowState state) {
  switch (state) {
    case FlowState::kNew:
      return "new";
    case FlowState::kEstablished:
      return "established";
    case FlowState::kClosed:
      return "closed";
    case FlowState::kBypassed:
      return "bypassed";
  }
  return "new";
}

const char* name_of(FlowReason reason) {
  switch (reason) {
    case FlowReason::kTimeout:
      return "timeout";
    case FlowReason::kForced:
      return "forced";
    case FlowReason::kShutdown:
      return "shutdown";
    case FlowReason::kInterim:
      return "interim";
  }
  return "timeout";
}

const char* name_of(TcpState state) {
  switch (state) {
    case TcpState::kNone:
      return "none";
    case TcpState::kSynSent:
      return "syn_sent";
    case TcpState::kSynReceived:
      return "syn_recv";
    case TcpState::kEstablished:
      return "established";
    case TcpState::kFinWait1:
      return "fin_wait1";
    case TcpState::kFinWait2:
      return "fin_wait2";
    case TcpState::kCloseWait:
      return "close_wait";
    case TcpState::kLastAck:
      return "last_ack";
    case TcpState::kTimeWait:
      return "time_wait";
    case TcpState::kClosed:
      return "closed";
  }
  return "none";
}

}  // namespace nids
