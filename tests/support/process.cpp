#include "tests/support/process.hpp"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace throughline::testing {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// In the child: becomes the command, or ends with 127.
[[noreturn]] void become(std::vector<char*>& command, int log, const passwd* user) {
  setpgid(0, 0);  // a Ctrl-C at the terminal is for the test
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  if (user != nullptr && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                          setuid(user->pw_uid) != 0 || chdir("/") != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid, which clears it
  execvp(command[0], command.data());
  _exit(127);
}

}  // namespace

bool eventually(const std::function<bool()>& happened, std::chrono::milliseconds longest) {
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (!happened()) {
    if (std::chrono::steady_clock::now() >= deadline) return happened();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  auto* address = reinterpret_cast<sockaddr*>(&where);
  if (probe < 0 || bind(probe, address, size) != 0 || getsockname(probe, address, &size) != 0) throw_errno("free port");
  close(probe);
  return ntohs(where.sin_port);
}

temporary_folder::temporary_folder(const std::string& name) {
  auto pattern = (std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) throw_errno("temporary folder");
  path_ = pattern;
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all | std::filesystem::perms::others_exec |
                                          std::filesystem::perms::group_exec);
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

child_process::child_process(std::vector<std::string> command, const std::filesystem::path& log,
                             const std::string& user) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (auto& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  const auto* account = user.empty() ? nullptr : getpwnam(user.c_str());
  if (!user.empty() && account == nullptr) throw std::runtime_error("no user " + user);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) throw_errno(log.string());
  pid_ = fork();
  if (pid_ == 0) become(words, output, account);
  close(output);
  if (pid_ < 0) throw_errno("fork");
}

child_process::~child_process() {
  if (!running()) return;
  signal(SIGKILL);
  signal(SIGCONT);
  wait();
}

void child_process::signal(int number) const {
  if (!ended_) kill(pid_, number);
}

void child_process::freeze() const {
  if (ended_ || kill(pid_, SIGSTOP) != 0) return;
  siginfo_t stopped{};
  while (waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
}

int child_process::wait() {
  while (!ended_ && !reap(0)) {
  }
  return status_;
}

bool child_process::running() {
  return !ended_ && !reap(WNOHANG);
}

bool child_process::reap(int options) {
  int status = 0;
  if (waitpid(pid_, &status, options) != pid_) return false;
  ended_ = true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int run_command(std::vector<std::string> command, const std::filesystem::path& log, const std::string& user) {
  return child_process(std::move(command), log, user).wait();
}

}  // namespace throughline::testing
