#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/io/postgres/database.hpp"

namespace throughline::io {
namespace {

/// The server ended the session with this error; the connection is gone with it.
bool ends_session(const std::string& state) {
  return state.starts_with("08") ||  // connection exceptions
         state == "57P01" ||         // admin_shutdown
         state == "57P02" ||         // crash_shutdown
         state == "57P03" ||         // cannot_connect_now
         state == "57P05" ||         // idle_session_timeout
         state == "25P03";           // idle_in_transaction_session_timeout
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> names{{
    {"25006", "the server is read-only"},
    {"40P01", "deadlock"},
    {"42501", "permission denied"},
    {"42P01", "a table is missing"},
    {"53100", "disk full"},
    {"53200", "out of memory"},
    {"53300", "too many connections"},
    {"55P03", "lock timeout"},
    {"57014", "statement cancelled"},
    {"57P01", "shut down by its administrator"},
    {"57P02", "crashed"},
    {"57P03", "cannot connect now"},
    {"58030", "I/O error"},
    {"XX001", "data corrupted"},
}};

}  // namespace

failure_kind classify(const std::exception& error) {
  if (dynamic_cast<const pqxx::in_doubt_error*>(&error) != nullptr) return failure_kind::in_doubt;
  if (dynamic_cast<const pqxx::broken_connection*>(&error) != nullptr) return failure_kind::connection_lost;
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  if (sql == nullptr) return failure_kind::environment;
  const auto state = sql->sqlstate();
  if (ends_session(state)) return failure_kind::connection_lost;
  const auto of_class = [&](const char* name) { return state.starts_with(name); };
  if (of_class("22") || of_class("23") || of_class("54")) return failure_kind::input_fault;
  return failure_kind::environment;
}

const char* to_text(failure_kind kind) {
  switch (kind) {
    case failure_kind::input_fault:
      return "input_fault";
    case failure_kind::environment:
      return "environment";
    case failure_kind::connection_lost:
      return "connection_lost";
    case failure_kind::in_doubt:
      return "in_doubt";
  }
  return "";
}

std::string reason_of(const std::exception& error) {
  const std::string kind = to_text(classify(error));
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  if (sql == nullptr || sql->sqlstate().empty()) return kind;
  for (const auto& [state, name] : names) {
    if (state == sql->sqlstate()) return fmt::format("{}: {} (SQLSTATE {})", kind, name, state);
  }
  return fmt::format("{} (SQLSTATE {})", kind, sql->sqlstate());
}

const char* to_text(open_failure kind) {
  switch (kind) {
    case open_failure::bad_url:
      return "bad_url";
    case open_failure::unreachable:
      return "unreachable";
    case open_failure::exhausted:
      return "exhausted";
    case open_failure::login_refused:
      return "login_refused";
    case open_failure::not_primary:
      return "not_primary";
    case open_failure::no_epoch:
      return "no_epoch";
    case open_failure::outdated:
      return "outdated";
    case open_failure::unsafe_server:
      return "unsafe_server";
    case open_failure::settings_refused:
      return "settings_refused";
  }
  return "";
}

}  // namespace throughline::io
