#include "services/state-sync/shell/connector.hpp"

#include <utility>

#include "services/state-sync/shell/store/epoch.hpp"

namespace throughline::state_sync {

std::expected<connected, std::string> connect(const io::database& database, io::connection_role role) {
  auto opened = database.open(role);
  if (!opened) return std::unexpected(opened.error().message);
  try {
    const auto epoch = establish_epoch(**opened);
    return connected{std::move(*opened), epoch};
  } catch (const std::exception& e) {
    return std::unexpected(std::string(io::to_text(io::classify(e))));
  }
}

}  // namespace throughline::state_sync
