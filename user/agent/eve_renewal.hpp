// SPDX-License-Identifier: Apache-2.0
// The parent's part in renewing the EVE file: answers the agent that asks for another one, and
// gives it one when it is to be opened again. Never waits for the agent.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "agent/eve_files.hpp"
#include "agent/link.hpp"

namespace nids {

class EveRenewal {
 public:
  using Tell = std::function<void(const std::string&)>;

  EveRenewal(EveFiles files, Tell info, Tell error)
      : files_(std::move(files)), info_(std::move(info)), error_(std::move(error)) {}

  EveFiles& files() { return files_; }

  // The next call of serve() opens the file again.
  void ask_reopen();

  // Hears one word of the agent, and does what it asks for here and what is due. Returns the word.
  Word serve(int link) { return serve(link, hear(link)); }
  // The same for a message that the caller has received. An agent that starts gets no file, because
  // any word ends its start.
  Word serve(int link, const std::optional<Said>& said, bool is_starting = false);

 private:
  void give(int link, Result<EveFiles::Renewed> renewed);
  void refuse(int link, const std::string& why);

  EveFiles files_;
  Tell info_, error_;
  std::string last_error_;  // said once, until it is another one or all is well
  bool is_due_ = false;
  std::uint32_t removed_ = 0;  // files, since the agent was last told
};

}  // namespace nids
