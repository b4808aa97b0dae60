// SPDX-License-Identifier: Apache-2.0
// What is wrong with a command line, in words of our own. Prints nothing.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace nids {

struct ParserComplaint {
  std::string text;     // names what was typed, and what is near it
  std::string command;  // whose help tells more: "config check"; empty: none was given
};

// Of an `app` that has just thrown `error`.
ParserComplaint parser_complaint(const CLI::App& app, const CLI::ParseError& error);

}  // namespace nids
