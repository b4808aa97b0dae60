// SPDX-License-Identifier: Apache-2.0
#include "agent/eve_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "agent/eve_renewal.hpp"
#include "agent/link.hpp"
#include "agent/output_files.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kLimit = 10;

class Rotation : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/nids-rotation-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/eve.json";
  }
  void TearDown() override { fs::remove_all(folder_); }

  EveFiles files(std::uint32_t keep) { return {path_, false, {kLimit, keep}}; }

  static void append(const Fd& fd, const std::string& text) {
    ASSERT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void put(const std::string& suffix, const std::string& text) const {
    std::ofstream(path_ + suffix) << text;
  }
  std::map<std::string, std::string> there() const {
    std::map<std::string, std::string> found;
    for (const auto& one : fs::directory_iterator(folder_)) {
      std::stringstream text;
      if (one.is_regular_file()) text << std::ifstream(one.path()).rdbuf();
      found[one.path().filename()] = text.str();
    }
    return found;
  }
  using There = std::map<std::string, std::string>;

  std::string folder_, path_;
};

TEST_F(Rotation, OldFilesMoveOnAndTheOldestGoes) {
  EveFiles files = this->files(2);
  Fd fd = std::move(*files.open());
  std::uint32_t removed = 0;
  for (const char* text :
       {"first long line", "second long line", "third long line", "4th long line"}) {
    append(fd, text);
    auto renewed = files.rotate();
    ASSERT_TRUE(renewed) << renewed.error().message();
    fd = std::move(renewed->file);
    removed += renewed->removed;
  }
  append(fd, "new");
  EXPECT_EQ(there(), (There{{"eve.json", "new"},
                            {"eve.json.1", "4th long line"},
                            {"eve.json.2", "third long line"}}));
  EXPECT_EQ(removed, 2u);
}

// The agent can make its file longer without writing anything.
TEST_F(Rotation, HolesDoNotCount) {
  EveFiles files{path_, false, {.rotate_bytes = 64 << 10, .keep = 1}};  // some blocks
  put(".1", "evidence");
  const Fd fd = std::move(*files.open());
  append(fd, "short");
  ASSERT_EQ(ftruncate(fd.get(), 1 << 20), 0);
  for (int i = 0; i < 3; ++i) {
    auto renewed = files.rotate();
    ASSERT_TRUE(renewed) << renewed.error().message();
    EXPECT_EQ(renewed->removed, 0u);
  }
  EXPECT_EQ(there().at("eve.json.1"), "evidence");
}

TEST_F(Rotation, DirectoryThatOthersMayWriteToIsRefused) {
  const auto refused = [&](const char* why) {
    const auto fd = open_eve(path_, false);
    ASSERT_FALSE(fd);
    EXPECT_NE(fd.error().message().find(why), std::string::npos) << fd.error().message();
    EXPECT_TRUE(there().empty());
  };
  for (const mode_t mode : {0777, 01777, 0757}) {
    ASSERT_EQ(chmod(folder_.c_str(), mode), 0);
    refused("other users may write to its directory");
  }
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  EXPECT_TRUE(open_eve(path_, false));
  fs::remove(path_);
  if (geteuid() != 0) GTEST_SKIP() << "the rest needs root";
  ASSERT_EQ(chown(folder_.c_str(), 0, 65534), 0);
  EXPECT_TRUE(open_eve(path_, false));
  fs::remove(path_);
  ASSERT_EQ(chmod(folder_.c_str(), 0775), 0);
  refused("other users may write to its directory");
  ASSERT_EQ(chown(folder_.c_str(), 65534, 0), 0);
  refused("its directory belongs to another user");
}

TEST_F(Rotation, NewFileIsForItsOwnerAndGroupAlone) {
  EveFiles files = this->files(2);
  append(*files.open(), "a line that is long");
  ASSERT_TRUE(files.rotate());
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0137u, 0u);
}

TEST_F(Rotation, MoveOnUpToTheFirstGapOnly) {
  put(".1", "1");
  put(".3", "3");
  EveFiles files = this->files(5);
  append(*files.open(), "a line that is long");
  auto renewed = files.rotate();
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->removed, 0u);
  EXPECT_EQ(there(), (There{{"eve.json", ""},
                            {"eve.json.1", "a line that is long"},
                            {"eve.json.2", "1"},
                            {"eve.json.3", "3"}}));
}

TEST_F(Rotation, SmallerKeepRemovesWhatFollowsWithoutAGap) {
  for (const char* suffix : {".1", ".2", ".3", ".4", ".6", ".gz"}) put(suffix, suffix);
  EveFiles files = this->files(2);
  append(*files.open(), "a line that is long");
  auto renewed = files.rotate();
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->removed, 3u);
  EXPECT_EQ(there(), (There{{"eve.json", ""},
                            {"eve.json.1", "a line that is long"},
                            {"eve.json.2", ".1"},
                            {"eve.json.6", ".6"},
                            {"eve.json.gz", ".gz"}}));
}

TEST_F(Rotation, WithNoneKeptTheFileItselfGoes) {
  EveFiles files = this->files(0);
  const Fd fd = std::move(*files.open());
  append(fd, "a line that is long");
  auto renewed = files.rotate();
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->removed, 1u);
  append(renewed->file, "new");
  EXPECT_EQ(there(), (There{{"eve.json", "new"}}));
}

TEST_F(Rotation, ShortFileIsOnlyOpenedAnew) {
  EveFiles files = this->files(2);
  append(*files.open(), "short");
  auto renewed = files.rotate();
  ASSERT_TRUE(renewed);
  append(renewed->file, "+");
  EXPECT_EQ(there(), (There{{"eve.json", "short+"}}));
}

TEST_F(Rotation, FileOfAnotherIsNotRenamed) {
  EveFiles files = this->files(2);
  append(*files.open(), "a line that is long");
  fs::rename(path_, path_ + ".moved");
  put("", "another's, and long enough");
  auto renewed = files.rotate();
  ASSERT_TRUE(renewed);
  append(renewed->file, "+");
  EXPECT_EQ(there(), (There{{"eve.json", "another's, and long enough+"},
                            {"eve.json.moved", "a line that is long"}}));
}

TEST_F(Rotation, DirectoryInTheWayIsAnErrorAndNothingIsLost) {
  fs::create_directory(path_ + ".1");
  EveFiles files = this->files(1);
  append(*files.open(), "a line that is long");
  auto renewed = files.rotate();
  ASSERT_FALSE(renewed);
  EXPECT_NE(renewed.error().message().find("remove " + path_ + ".1"), std::string::npos)
      << renewed.error().message();
  EXPECT_EQ(there(), (There{{"eve.json", "a line that is long"}, {"eve.json.1", ""}}));
}

TEST_F(Rotation, LinkDirectoryOrPipeInItsPlaceIsRefused) {
  EveFiles files = this->files(2);
  append(*files.open(), "a line that is long");
  const auto refused = [&](const char* why) {
    for (const bool by_size : {false, true}) {
      auto renewed = by_size ? files.rotate() : files.reopen();
      ASSERT_FALSE(renewed);
      EXPECT_NE(renewed.error().message().find(why), std::string::npos)
          << renewed.error().message();
    }
    EXPECT_FALSE(fs::exists(path_ + ".1"));
    fs::remove(path_);
  };
  fs::remove(path_);
  put(".target", "precious");
  fs::create_symlink(path_ + ".target", path_);
  refused("it is a symbolic link");
  fs::create_directory(path_);
  refused("Is a directory");
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const Fd reader{open(path_.c_str(), O_RDONLY | O_NONBLOCK)};
  refused("no longer a regular file");
  EXPECT_TRUE(files.may_renew());
  EXPECT_TRUE(files.reopen());
  EXPECT_EQ(there().at("eve.json.target"), "precious");
}

TEST_F(Rotation, PipesDevicesAndStandardOutputAreNeverRenewed) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const Fd reader{open(path_.c_str(), O_RDONLY | O_NONBLOCK)};
  EveFiles pipe = files(2);
  ASSERT_TRUE(pipe.open());
  EXPECT_FALSE(pipe.may_renew());
  EveFiles device("/dev/null", false, {kLimit, 2});
  ASSERT_TRUE(device.open());
  EXPECT_FALSE(device.may_renew());
  EveFiles output("-", false, {kLimit, 2});
  ASSERT_TRUE(output.open());
  EXPECT_FALSE(output.may_renew());
}

TEST_F(Rotation, FileThatCouldNotBeOpenedAtFirstIsOpenedLater) {
  fs::create_directory(path_);
  EveFiles files = this->files(2);
  EXPECT_FALSE(files.open());
  EXPECT_TRUE(files.may_renew());
  fs::remove(path_);
  EXPECT_TRUE(files.reopen());
}

// Both ends of a link, with the parent's part at one of them.
class Renewal : public Rotation {
 protected:
  void SetUp() override {
    Rotation::SetUp();
    auto link = make_link();
    ASSERT_TRUE(link);
    parent_ = std::move(link->first);
    agent_ = std::move(link->second);
  }
  EveRenewal renewal() {
    return {files(1), [this](const std::string& text) { told.push_back("info " + text); },
            [this](const std::string& text) { told.push_back("error " + text); }};
  }
  Fd parent_, agent_;
  std::vector<std::string> told;
};

TEST_F(Renewal, AgentThatAsksIsGivenAnotherFile) {
  EveRenewal renewal = this->renewal();
  append(*renewal.files().open(), "a line that is long");
  ASSERT_TRUE(say(agent_.get(), Word::kEveIsFull));
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  const auto said = hear(agent_.get());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->word, Word::kEveFile);
  append(said->file, "new");
  EXPECT_EQ(there(), (There{{"eve.json", "new"}, {"eve.json.1", "a line that is long"}}));
  EXPECT_FALSE(hear(agent_.get()));
}

TEST_F(Renewal, AgentThatAsksWithoutNeedRemovesNothing) {
  EveRenewal renewal = this->renewal();
  append(*renewal.files().open(), "a line that is long");
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(say(agent_.get(), Word::kEveIsFull));
    EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
    ASSERT_TRUE(hear(agent_.get()));
  }
  EXPECT_EQ(there(), (There{{"eve.json", ""}, {"eve.json.1", "a line that is long"}}));
}

TEST_F(Renewal, FailureIsToldOnceUntilItIsOver) {
  EveRenewal renewal = this->renewal();
  ASSERT_TRUE(renewal.files().open());
  fs::remove(path_);
  fs::create_directory(path_);
  for (int i = 0; i < 3; ++i) {
    renewal.ask_reopen();
    EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
    EXPECT_EQ(hear(agent_.get())->word, Word::kEveRefused);
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].starts_with("error ")) << told[0];
  fs::remove(path_);
  renewal.ask_reopen();
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  EXPECT_EQ(hear(agent_.get())->word, Word::kEveFile);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(told[1].starts_with("info ")) << told[1];
}

TEST_F(Renewal, FilesThatWentAreToldOnceTheAgentListens) {
  EveRenewal renewal = this->renewal();
  append(*renewal.files().open(), "a line that is long");
  ASSERT_TRUE(say(agent_.get(), Word::kEveIsFull));
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  const auto first = hear(agent_.get());
  ASSERT_TRUE(first);
  append(first->file, "another line that is long");
  ASSERT_TRUE(say(agent_.get(), Word::kEveIsFull));
  while (say(parent_.get(), Word::kEveRefused)) {
  }
  EXPECT_NE(renewal.serve(parent_.get()),
            Word::kGone);  // the oldest goes, and nobody takes the new
  while (hear(agent_.get())) {
  }
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  const auto second = hear(agent_.get());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->word, Word::kEveFile);
  EXPECT_EQ(second->number, 1u);
}

TEST_F(Renewal, AgentThatTakesNothingIsNotWaitedForAndGetsItsFileLater) {
  EveRenewal renewal = this->renewal();
  ASSERT_TRUE(renewal.files().open());
  while (say(parent_.get(), Word::kEveRefused)) {
  }
  renewal.ask_reopen();
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  while (const auto said = hear(agent_.get())) EXPECT_EQ(said->word, Word::kEveRefused);
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  const auto said = hear(agent_.get());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->word, Word::kEveFile);
}

TEST_F(Renewal, WhatGoesToNoRegularFileIsLeftAlone) {
  EveRenewal renewal({"/dev/null", false, {kLimit, 1}},
                     [this](const std::string& text) { told.push_back(text); }, {});
  ASSERT_TRUE(renewal.files().open());
  renewal.ask_reopen();
  ASSERT_TRUE(say(agent_.get(), Word::kEveIsFull));
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  EXPECT_FALSE(hear(agent_.get()));
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(Renewal, EndOfTheAgentIsNoticed) {
  EveRenewal renewal = this->renewal();
  EXPECT_NE(renewal.serve(parent_.get()), Word::kGone);
  agent_ = Fd{};
  EXPECT_EQ(renewal.serve(parent_.get()), Word::kGone);
}

}  // namespace
}  // namespace nids
