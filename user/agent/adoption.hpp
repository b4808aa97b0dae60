// SPDX-License-Identifier: Apache-2.0
// Puts programs on an interface, or takes over those that an earlier agent left there. Starts no
// agent, and keeps nothing.
#pragma once

#include <string>
#include <vector>

#include "agent/class_index.hpp"
#include "agent/supervisor.hpp"

namespace nids {

// Those named, each once; none: that of the default route. An error where one is not there, or has
// no Ethernet header.
[[nodiscard]] Result<std::vector<LinkFacts>> links_to_watch(const std::vector<std::string>& names);

// Returns the classes by index. Programs that can be taken over keep their indexes. If their
// indexes disagree, the first program decides. Call it under the lock, before the functions below.
ClassIndexes indexes_with_adopted(const std::vector<LinkFacts>& links,
                                  const AttachRequest& request);

// Completes the setup of new programs: they get the hash keys and the number of rings of the first
// programs that will be taken over. If there are none, the keys are random. Call it under the lock,
// before place_programs().
[[nodiscard]] Result<void> share_with_adopted(const std::vector<LinkFacts>& links,
                                              const AttachRequest& request,
                                              const ClassIndexes& classes, ProgramSetup& setup);

struct PlacedPrograms {
  Attachment attachment;
  bool is_adopted = false;
  Fd claim;  // of the interface; none where this kernel knows no claims
};

// Call it under the lock. Claims the interface first, so that no other agent attaches to it, not
// even one with other directories. Waits until the reader of a killed agent has ended. Replaces
// programs that can't be taken over, and tells the user why. Replaces programs on an interface of
// `links` too, if their rings or hash keys differ from those of `options`, because the flows of the
// interface could not join.
[[nodiscard]] Result<PlacedPrograms> place_programs(
    const LinkFacts& link, const AttachRequest& request, const ClassIndexes& classes,
    const AttachOptions& options, const Links& links, const Supervisor::Callbacks& callbacks);

}  // namespace nids
