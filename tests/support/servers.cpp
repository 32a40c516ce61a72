#include "tests/support/servers.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace throughline::testing {
namespace {

bool accepts(std::uint16_t port) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(port);
  const bool accepted = connect(probe, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
  close(probe);
  return accepted;
}

std::string tool(const char* name) {
  return std::string("/usr/lib/postgresql/15/bin/") + name;
}

/// PostgreSQL does not run as root.
std::string database_user() {
  return geteuid() == 0 ? "postgres" : "";
}

}  // namespace

nats_server::nats_server() : port_(free_port()) {
  start();
}

void nats_server::start() {
  process_ = std::make_unique<child_process>(
      std::vector<std::string>{"nats-server", "-a", "127.0.0.1", "-p", std::to_string(port_)}, folder_.path() / "log");
  if (!eventually([this] { return accepts(port_); })) throw std::runtime_error("nats-server does not start");
}

void nats_server::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

void nats_server::freeze() {
  process_->freeze();
}

void nats_server::thaw() {
  process_->signal(SIGCONT);
}

postgres_server::postgres_server() : port_(free_port()) {
  const auto user = database_user();
  if (!user.empty()) {
    const auto* account = getpwnam(user.c_str());
    if (account == nullptr || chown(folder_.path().c_str(), account->pw_uid, account->pw_gid) != 0) {
      throw std::runtime_error("no folder for user postgres");
    }
  }
  const auto data = folder_.path() / "data";
  const auto status = run_command({tool("initdb"), "-D", data.string(), "-U", "postgres", "-A", "trust", "-E", "UTF8",
                                   "--locale=C", "--no-sync", "--no-instructions"},
                                  folder_.path() / "log", user);
  if (status != 0) throw std::runtime_error("initdb fails");
  start();
}

std::string postgres_server::url() const {
  return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/postgres";
}

void postgres_server::start(const options& with) {
  std::vector<std::string> command{tool("postgres"), "-D", (folder_.path() / "data").string(), "-p",
                                   std::to_string(port_)};
  for (const auto* setting : {"listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB",
                              "dynamic_shared_memory_type=mmap"}) {
    command.insert(command.end(), {"-c", setting});
  }
  for (const auto& setting : with) command.insert(command.end(), {"-c", setting});
  process_ = std::make_unique<child_process>(command, folder_.path() / "log", database_user());
  if (!eventually([this] { return answers(); }, std::chrono::seconds(20))) {
    throw std::runtime_error("postgres does not start");
  }
}

bool postgres_server::answers() const {
  return run_command({tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)},
                     folder_.path() / "log") == 0;
}

void postgres_server::stop() {
  process_->signal(SIGINT);
  process_->wait();
}

void postgres_server::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

void postgres_server::standby(bool on) {
  const auto mark = folder_.path() / "data" / "standby.signal";
  if (on) {
    std::ofstream{mark};
  } else {
    std::filesystem::remove(mark);
  }
}

void postgres_server::freeze(int backend) {
  ::kill(backend, SIGSTOP);
  // Not a child of ours: its state is read until it is the stopped one.
  (void)eventually([&] {
    std::ifstream in("/proc/" + std::to_string(backend) + "/stat");
    std::string line;
    std::getline(in, line);
    const auto name_end = line.rfind(')');
    return name_end == std::string::npos || line.substr(name_end + 2, 1) == "T";
  });
}

void postgres_server::thaw(int backend) {
  ::kill(backend, SIGCONT);
}

}  // namespace throughline::testing
