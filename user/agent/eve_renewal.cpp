// SPDX-License-Identifier: Apache-2.0
#include "agent/eve_renewal.hpp"

#include <cerrno>
#include <cstring>

namespace nids {

void EveRenewal::ask_reopen() {
  if (files_.may_renew())
    is_due_ = true;
  else
    info_("the EVE file is not opened again: the alerts go to no regular file");
}

Word EveRenewal::serve(int link, const std::optional<Said>& said, bool is_starting) {
  const Word word = said ? said->word : Word::kNothing;
  if (word == Word::kGone) return word;
  if (word == Word::kEveIsFull && files_.may_renew()) give(link, files_.rotate());
  if (!is_starting && std::exchange(is_due_, false)) give(link, files_.reopen());
  return word;
}

void EveRenewal::give(int link, Result<EveFiles::Renewed> renewed) {
  if (!renewed) return refuse(link, renewed.error().message());
  removed_ += renewed->removed;
  if (say(link, Word::kEveFile, removed_, renewed->file.get())) {
    removed_ = 0;
    if (!std::exchange(last_error_, {}).empty()) info_("alerts go to " + files_.path() + " again");
    return;
  }
  // An agent that was stopped for a time takes it later; by then the path may name another file.
  is_due_ = errno == EAGAIN;
  if (!is_due_) refuse(link, std::string("cannot give the agent a file: ") + std::strerror(errno));
}

void EveRenewal::refuse(int link, const std::string& why) {
  if (std::exchange(last_error_, why) != why) error_(why + "; what is open stays in use");
  // One that does not take this either asks again when it has time.
  static_cast<void>(say(link, Word::kEveRefused));
}

}  // namespace nids
