#pragma once
// Connections to PostgreSQL. One function opens them all, and sets and verifies what the guarantees rest on (design
// 3.1, 3.5, 3.7). A connection is used by one thread at a time, is never reconnected behind its user's back, and is
// thrown away once it is not `usable`.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include <pqxx/pqxx>

#include "common/io/postgres/watchdog.hpp"

namespace throughline::io {

enum class connection_role : std::uint8_t {
  work,  ///< transactions: idle_in_transaction_session_timeout 5 s, lock_timeout 8 s
  lock,  ///< holds the session-level advisory locks of shards: idle_session_timeout 5 s
};

struct database_settings {
  std::string url;               ///< libpq URI or key=value list, several hosts allowed
  std::string application_name;  ///< shown in pg_stat_activity
};

enum class open_failure : std::uint8_t {
  bad_url,           ///< cannot be parsed: will not mend itself
  unreachable,       ///< nothing answers: try again
  login_refused,     ///< it answers, but the role, the password or the database is not there for us: try again
  not_primary,       ///< a standby, or read-only: try again
  unsafe_server,     ///< fsync or full_page_writes is off: refuse to run (design 3.1)
  settings_refused,  ///< a setting did not take, e.g. behind a pooler
};

struct open_error {
  open_failure kind;
  std::string message;  ///< one line, without the URL or its password
};

/// No answer to a COMMIT for this long puts it in doubt (design 3.4).
inline constexpr std::chrono::seconds commit_answer_max{5};
inline constexpr std::chrono::seconds connect_timeout{3};

/// What became of the work when an exception came out of it (design 3.6).
enum class failure_kind : std::uint8_t {
  input_fault,      ///< SQLSTATE class 22, 23 or 54: this input may be at fault; nothing was written
  environment,      ///< anything else that the server said: nothing was written, try again
  connection_lost,  ///< before COMMIT was sent: nothing was written; discard the connection
  in_doubt,         ///< at COMMIT: may have been written; discard the connection, reload, decide again
};
failure_kind classify(const std::exception& error);
const char* to_text(failure_kind kind);
const char* to_text(open_failure kind);

class database_connection {
 public:
  ~database_connection();
  database_connection(const database_connection&) = delete;
  database_connection& operator=(const database_connection&) = delete;

  pqxx::connection& sql() { return sql_; }

  /// Commits with a watchdog. Throws pqxx::in_doubt_error when there was no answer in `commit_answer_max`, when the
  /// connection broke, or when the server warned; other exceptions mean that nothing was written. After a statement of
  /// `tx` has thrown it must not be committed. In doubt makes the connection unusable.
  void commit(pqxx::transaction_base& tx);

  /// Shuts the socket down when the guard lives longer than `longest`: what runs then throws pqxx::broken_connection
  /// (or, in `commit`, in_doubt_error). For reads and beats that must not wait for a frozen server.
  [[nodiscard]] watchdog::guard limit(std::chrono::milliseconds longest);

  /// Frees a blocked query, from any thread; the connection is unusable from then on.
  void shut_down() noexcept;

  bool usable() const;

 private:
  friend class database;
  struct warning_counter;
  database_connection(const std::string& conninfo, std::shared_ptr<watchdog> dog);

  std::shared_ptr<watchdog> dog_;
  pqxx::connection sql_;
  std::unique_ptr<warning_counter> warnings_;
  std::shared_ptr<shared_socket> socket_;
};

using open_result = std::expected<std::unique_ptr<database_connection>, open_error>;

/// Opens connections; itself it holds only a watchdog thread. Any thread.
class database {
 public:
  explicit database(database_settings settings);

  /// Blocks for up to `connect_timeout` per host and a few round trips.
  open_result open(connection_role role) const;

 private:
  database_settings settings_;
  std::shared_ptr<watchdog> dog_;
};

}  // namespace throughline::io
