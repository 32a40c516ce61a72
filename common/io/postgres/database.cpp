#include "common/io/postgres/database.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace throughline::io {
namespace {

using setting = std::pair<const char*, const char*>;

// Verified after they are set: behind some poolers a SET is answered and lost.
// statement_timeout, whatever the role has: it would cancel a COMMIT that waits for a standby, which would then be
// visible here and lost there. A statement's time is the watchdog's; client_connection_check_interval makes the server
// end what nobody waits for any more.
constexpr std::array<setting, 5> work_settings{{
    {"idle_in_transaction_session_timeout", "5s"},
    {"lock_timeout", "8s"},
    {"statement_timeout", "0"},
    {"client_connection_check_interval", "2s"},
    {"client_min_messages", "warning"},
}};
constexpr std::array<setting, 5> lock_settings{{
    {"idle_session_timeout", "5s"},
    {"lock_timeout", "8s"},
    {"statement_timeout", "0"},
    {"client_connection_check_interval", "2s"},
    {"client_min_messages", "warning"},
}};
// The server's side of the keepalives; on a local socket they read back as 0.
constexpr std::array<setting, 4> keepalive_settings{{
    {"tcp_keepalives_idle", "5"},
    {"tcp_keepalives_interval", "2"},
    {"tcp_keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
}};

/// All that follows connecting must be answered in this time.
constexpr std::chrono::seconds setup_answer_max{3};

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::unexpected<open_error> refused(open_failure kind, std::string message) {
  return std::unexpected(open_error{kind, std::move(message)});
}

/// libpq reports a standby or a read-only session as a failure to connect.
bool names_a_standby(std::string_view message) {
  return message.find("read-only") != std::string_view::npos || message.find("standby") != std::string_view::npos ||
         message.find("recovery") != std::string_view::npos;
}

// The server's word on who we are, and on its room. libpq gives no SQLSTATE of a failed connection; in another language
// than English these stay `unreachable`, and the message tells.
constexpr std::array<std::string_view, 6> login_phrases{"authentication failed",          "\" does not exist",
                                                        "no pg_hba.conf entry",           "no password supplied",
                                                        "permission denied for database", "is not permitted to log in"};
constexpr std::array<std::string_view, 3> room_phrases{"too many clients already", "connection slots are reserved",
                                                       "too many connections"};

template <class Phrases>
bool names_any(std::string_view message, const Phrases& phrases) {
  return std::ranges::any_of(phrases, [&](auto phrase) { return message.find(phrase) != std::string_view::npos; });
}

open_failure kind_of(std::string_view message) {
  if (names_a_standby(message)) return open_failure::not_primary;
  if (names_any(message, room_phrases)) return open_failure::exhausted;
  return names_any(message, login_phrases) ? open_failure::login_refused : open_failure::unreachable;
}

std::expected<void, open_error> verify_server(pqxx::nontransaction& tx) {
  const auto row = tx.exec1(
      "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), "
      "current_setting('synchronous_commit')");
  if (row[0].as<bool>()) return refused(open_failure::not_primary, "the server is in recovery");
  if (row[1].as<std::string>() != "on") return refused(open_failure::unsafe_server, "fsync is off");
  if (row[2].as<std::string>() != "on") return refused(open_failure::unsafe_server, "full_page_writes is off");
  const auto commits = row[3].as<std::string>();
  if (commits != "on" && commits != "remote_apply") tx.exec0("SET synchronous_commit = on");
  return {};
}

template <class Settings>
void set_all(pqxx::nontransaction& tx, const Settings& settings) {
  for (const auto& [name, value] : settings) tx.exec0(fmt::format("SET {} = '{}'", name, value));
}

template <class Settings>
std::expected<void, open_error> verify_settings(pqxx::nontransaction& tx, const Settings& settings) {
  for (const auto& [name, value] : settings) {
    const auto got = tx.exec1(fmt::format("SELECT current_setting('{}')", name))[0].template as<std::string>();
    if (got != value) return refused(open_failure::settings_refused, fmt::format("{} is {}", name, got));
  }
  const auto commits = tx.exec1("SELECT current_setting('synchronous_commit')")[0].template as<std::string>();
  if (commits != "on" && commits != "remote_apply") {
    return refused(open_failure::settings_refused, "synchronous_commit is " + commits);
  }
  return {};
}

template <class Settings>
std::expected<void, open_error> set_up(pqxx::connection& sql, const Settings& settings) {
  pqxx::nontransaction tx(sql);
  if (auto fine = verify_server(tx); !fine) return fine;
  set_all(tx, settings);
  set_all(tx, keepalive_settings);
  return verify_settings(tx, settings);
}

}  // namespace

/// Notices that came while it counts. client_min_messages lets nothing below a warning through.
struct database_connection::warning_counter : pqxx::errorhandler {
  using pqxx::errorhandler::errorhandler;
  bool operator()(const char[]) noexcept override {
    ++count;
    return false;  // no other handler prints it
  }
  unsigned count = 0;
};

database_connection::database_connection(const std::string& conninfo, std::shared_ptr<watchdog> dog,
                                         std::shared_ptr<const host_knowledge> seen)
    : dog_(std::move(dog)),
      seen_(std::move(seen)),
      sql_(conninfo),
      warnings_(std::make_unique<warning_counter>(sql_)),
      socket_(std::make_shared<shared_socket>(sql_.sock())) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  sql_.inhibit_reactivation(true);
#pragma clang diagnostic pop
}

database_connection::~database_connection() = default;

void database_connection::commit(pqxx::transaction_base& tx) {
  const auto watched = limit(commit_answer_max);
  const auto warnings_before = warnings_->count;
  try {
    tx.commit();
  } catch (const std::exception& error) {
    // Also when the server ended the session with an answer: it may have committed and then been told to stop.
    const auto kind = classify(error);
    if (kind != failure_kind::in_doubt && kind != failure_kind::connection_lost) throw;
    shut_down();
    throw pqxx::in_doubt_error(error.what());
  }
  if (warnings_->count != warnings_before) {
    shut_down();
    throw pqxx::in_doubt_error("COMMIT returned a warning");
  }
}

watchdog::guard database_connection::limit(std::chrono::milliseconds longest) {
  return dog_->watch(socket_, longest);
}

void database_connection::shut_down() noexcept {
  socket_->shut_down();
}

bool database_connection::usable() const {
  if (epoch_ != 0 && epoch_ < seen_->highest_epoch()) return false;
  return !socket_->is_shut_down() && sql_.is_open();
}

open_result database::open_host(const std::string& parameters, connection_role role, const epoch_finder* find) const {
  try {
    std::unique_ptr<database_connection> made(new database_connection(parameters, dog_, seen_));
    {
      const auto watched = made->limit(setup_answer_max);
      const auto fine =
          role == connection_role::work ? set_up(made->sql(), work_settings) : set_up(made->sql(), lock_settings);
      if (!fine) return std::unexpected(fine.error());
    }
    if (find == nullptr) return made;
    return judged(std::move(made), *find);
  } catch (const pqxx::sql_error& error) {
    return refused(open_failure::settings_refused, one_line(error.what()));
  } catch (const std::exception& error) {
    const auto message = one_line(error.what());
    return refused(kind_of(message), message);
  }
}

}  // namespace throughline::io
