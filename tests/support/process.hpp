#pragma once
// Real processes for tests: started on free ports with state in a temporary folder, ended with the object (and with the
// test, should that be killed).

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace throughline::testing {

/// True as soon as `happened` is; false after `longest`.
bool eventually(const std::function<bool()>& happened, std::chrono::milliseconds longest = std::chrono::seconds(10));

std::uint16_t free_port();

class temporary_folder {
 public:
  explicit temporary_folder(const std::string& name);
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class child_process {
 public:
  /// `user` "" is ours; another one needs root. Output goes to `log`.
  child_process(std::vector<std::string> command, const std::filesystem::path& log, const std::string& user = {});
  ~child_process();  ///< SIGKILL, should it still run
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  void signal(int number) const;
  void freeze() const;  ///< SIGSTOP; returns when all its threads stand still
  int wait();           ///< exit status, or 128 + signal
  bool running();

 private:
  bool reap(int options);

  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

/// Runs a command to its end; gives its status.
int run_command(std::vector<std::string> command, const std::filesystem::path& log, const std::string& user = {});

}  // namespace throughline::testing
