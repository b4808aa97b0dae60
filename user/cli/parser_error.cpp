// SPDX-License-Identifier: Apache-2.0
#include "cli/parser_error.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

#include "config/wording.hpp"

namespace nids {
namespace {

// The command, and the one below it, as far as they were understood.
std::vector<const CLI::App*> chain_of(const CLI::App& app) {
  std::vector<const CLI::App*> chain{&app};
  while (!chain.back()->get_subcommands().empty())
    chain.push_back(chain.back()->get_subcommands().back());
  return chain;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

std::vector<std::string> option_names(const std::vector<const CLI::App*>& chain) {
  std::vector<std::string> names;
  for (const CLI::App* app : chain)
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const std::string_view near = nearest(name, candidates);
  return near.empty() ? "" : "; did you mean " + std::string(near) + "?";
}

std::string unknown_command(const CLI::App& app, const std::string& command,
                            const std::string& typed) {
  const auto known = command_names(app);
  std::string near = did_you_mean(typed, known);
  if (near.empty()) near = "; there are " + CLI::detail::join(known, ", ");
  return "unknown command " + (command.empty() ? "" : command + " ") + visible(typed) + near;
}

std::string unexpected(const std::vector<const CLI::App*>& chain, const std::string& command,
                       const std::vector<std::string>& arguments) {
  std::string text = command.empty() ? "" : command + ": ";
  text += arguments.size() == 1 ? "unexpected argument:" : "unexpected arguments:";
  for (const std::string& one : arguments) text += " " + visible(one);
  const auto option =
      std::ranges::find_if(arguments, [](const auto& one) { return one.starts_with("--"); });
  if (option == arguments.end()) return text;
  const std::string name = option->substr(0, option->find('='));
  if (name == "--netns" && !command.empty())
    return text + "; for another network namespace: ip netns exec NAME nids-xdp " + command;
  return text + did_you_mean(name, option_names(chain));
}

}  // namespace

ParserComplaint parser_complaint(const CLI::App& app, const CLI::ParseError& error) {
  const auto chain = chain_of(app);
  std::string command;
  for (std::size_t i = 1; i < chain.size(); ++i)
    command += (i == 1 ? "" : " ") + chain[i]->get_name();

  // What is left over explains what is missing.
  const auto left = app.remaining(true);
  const bool is_about_names = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr ||
                              dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const bool needs_command = !command_names(*chain.back()).empty();
  if (is_about_names && !left.empty()) {
    if (needs_command && !left.front().starts_with('-'))
      return {unknown_command(*chain.back(), command, left.front()), command};
    return {unexpected(chain, command, left), command};
  }
  const std::string owner = command.empty() ? "" : command + ": ";
  if (is_about_names && needs_command)
    return {owner + "a command is missing; there are " +
                CLI::detail::join(command_names(*chain.back()), ", "),
            command};
  return {owner + error.what(), command};
}

}  // namespace nids
