#include "services/state-sync/shell/service_settings.hpp"

#include <optional>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/io/postgres/conninfo.hpp"

namespace throughline::state_sync {
namespace {

std::optional<std::string> check_database(const ops::settings& from) {
  const auto parameters = io::connection_parameters(from.text("database-url"), "");
  if (parameters) return std::nullopt;
  // libpq's words may hold the URL, and with it a password.
  return "--database-url (THROUGHLINE_DATABASE_URL) is no PostgreSQL connection URI";
}

}  // namespace

ops::setting_table setting_table() {
  ops::setting_table table("state-sync", "Decides, commits and replays session state.");
  table.common("0.0.0.0:9082");
  table.text("database-url", ops::required, "PostgreSQL, as a libpq URI; several hosts allowed");
  table.duration("stale-after", "5m", "a dispatched turn without an agent, or in doubt, ends after this long");
  table.duration("ready-timeout", "60s", "how long an attached agent may take to become ready");
  table.size("snapshot-budget", "1MiB", "older interactions in the first frame of a viewer");
  table.flag("migrate", "apply missing migrations before serving");
  table.command("migrate", "apply missing migrations and exit");
  table.flag("new-epoch", "raise the epoch as well: after a restore from a backup", "migrate");
  table.rule(check_database);
  return table;
}

service_settings service_settings_of(const ops::settings& from) {
  service_settings s;
  s.nats.urls = fmt::format("{}", fmt::join(from.list("nats-url"), ","));
  s.nats.creds_file = from.text("nats-creds");
  s.nats.name = "state-sync";
  s.database.url = from.text("database-url");
  s.database.application_name = "throughline state-sync";
  s.ops_listen = from.address("ops-listen");
  s.bounds.stale_after = from.duration("stale-after");
  s.bounds.ready_timeout = from.duration("ready-timeout");
  s.snapshot_budget = from.size("snapshot-budget");
  s.drain_timeout = from.duration("drain-timeout");
  s.migrate_first = from.flag("migrate");
  return s;
}

}  // namespace throughline::state_sync
