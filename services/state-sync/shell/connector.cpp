#include "services/state-sync/shell/connector.hpp"

#include <utility>

#include <fmt/format.h>

#include "services/state-sync/shell/store/epoch.hpp"

namespace throughline::state_sync {

std::string describe(const io::open_error& why) {
  return fmt::format("{}: {}", io::to_text(why.kind), why.message);
}

std::expected<connected, std::string> connect(const io::database& database, io::connection_role role) {
  auto opened = database.open(role, establish_epoch);
  if (!opened) return std::unexpected(describe(opened.error()));
  const auto epoch = (*opened)->epoch();
  return connected{std::move(*opened), epoch};
}

}  // namespace throughline::state_sync
