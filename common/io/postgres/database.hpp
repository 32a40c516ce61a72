#pragma once
// Connections to PostgreSQL. One function opens them all, and sets and verifies what the guarantees rest on (design
// 3.1, 3.5, 3.7). A connection is used by one thread at a time, is never reconnected behind its user's back, and is
// thrown away once it is not `usable`.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  exhausted,         ///< it answers, but has no connection left for us: try again
  login_refused,     ///< it answers, but the role, the password or the database is not there for us: try again
  not_primary,       ///< a standby, or read-only: try again
  no_epoch,          ///< a primary whose epoch could not be found or raised: try again
  outdated,          ///< below the highest epoch seen, e.g. an old primary that came back: try again
  settings_refused,  ///< a setting did not take, e.g. behind a pooler
  unsafe_server,     ///< fsync or full_page_writes is off: refuse to run (design 3.1)
};

struct open_error {
  open_failure kind;
  std::string message;  ///< one line, without the URL or its password
};

/// No answer to a COMMIT for this long puts it in doubt (design 3.4).
inline constexpr std::chrono::seconds commit_answer_max{5};
/// Bound for any other statement of a transaction: above `lock_timeout`, so that a lock is the server's to give up.
inline constexpr std::chrono::seconds statement_answer_max{10};
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
/// For logs and /readyz: the kind, and of an error of the server its name and SQLSTATE; never the server's words, which
/// may quote content.
std::string reason_of(const std::exception& error);

/// What the connections of one `database` know of its hosts. Any thread.
class host_knowledge {
 public:
  using clock = std::chrono::steady_clock;
  /// A host that was found best is taken without a look at the others for so long: the connections of a process that
  /// lost them all come back together.
  static constexpr std::chrono::seconds choice_age_max{5};

  void saw_epoch(std::uint64_t epoch);
  std::uint64_t highest_epoch() const { return highest_; }
  void chose(std::size_t host, clock::time_point now);
  std::optional<std::size_t> chosen(clock::time_point now) const;

 private:
  std::atomic<std::uint64_t> highest_ = 0;
  std::atomic<std::size_t> host_ = 0;
  std::atomic<clock::rep> chosen_at_ = clock::time_point::min().time_since_epoch().count();
};

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

  /// False for good once it broke, was shut down, or a higher epoch than its own has been seen.
  bool usable() const;

  /// Of the database when it was opened; 0 when nobody asked.
  std::uint64_t epoch() const { return epoch_; }

 private:
  friend class database;
  struct warning_counter;
  database_connection(const std::string& conninfo, std::shared_ptr<watchdog> dog,
                      std::shared_ptr<const host_knowledge> seen);

  std::shared_ptr<watchdog> dog_;
  std::shared_ptr<const host_knowledge> seen_;
  std::uint64_t epoch_ = 0;
  pqxx::connection sql_;
  std::unique_ptr<warning_counter> warnings_;
  std::shared_ptr<shared_socket> socket_;
};

using open_result = std::expected<std::unique_ptr<database_connection>, open_error>;

/// The epoch of the database behind a fresh connection (design 3.4), raised where that is due. `highest_seen` is known
/// to this process, from this database or another. May throw what libpqxx throws.
using epoch_finder = std::function<std::uint64_t(database_connection&, std::uint64_t highest_seen)>;

/// Opens connections; itself it holds only a watchdog thread and the highest epoch seen. Any thread.
class database {
 public:
  explicit database(database_settings settings);

  /// The first host of the list that is a primary and safe. Blocks for up to `connect_timeout` per host and a few round
  /// trips.
  open_result open(connection_role role) const;

  /// The same, where several hosts may call themselves primaries: the one with the highest epoch. One below the highest
  /// epoch seen is `outdated` and never used.
  open_result open(connection_role role, const epoch_finder& find) const;

  /// Looks at all hosts for a higher epoch than the highest seen; keeps no connection.
  void look_around(const epoch_finder& find) const;
  bool has_several_hosts() const;

  /// Somebody else has seen this epoch: connections of a lower one are no longer usable.
  void saw_epoch(std::uint64_t epoch) const { seen_->saw_epoch(epoch); }
  std::uint64_t highest_epoch() const { return seen_->highest_epoch(); }

 private:
  open_result open_host(const std::string& parameters, connection_role role, const epoch_finder* find) const;
  open_result judged(std::unique_ptr<database_connection> made, const epoch_finder& find) const;
  open_result open_best(const std::vector<std::string>& hosts, connection_role role, const epoch_finder& find) const;

  database_settings settings_;
  std::shared_ptr<watchdog> dog_;
  std::shared_ptr<host_knowledge> seen_;
};

}  // namespace throughline::io
