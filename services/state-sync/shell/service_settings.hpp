#pragma once
// The settings of state-sync (design 5.1).

#include <cstdint>

#include "common/io/nats/nats_link.hpp"
#include "common/io/postgres/database.hpp"
#include "common/ops/settings.hpp"
#include "services/state-sync/core/input.hpp"

namespace throughline::state_sync {

struct service_settings {
  io::nats_settings nats;
  io::database_settings database;
  ops::listen_address ops_listen;
  limits bounds;
  std::uint64_t snapshot_budget = 0;
  std::chrono::milliseconds drain_timeout{};
  bool migrate_first = false;  ///< --migrate
};

ops::setting_table setting_table();
service_settings service_settings_of(const ops::settings& from);

}  // namespace throughline::state_sync
