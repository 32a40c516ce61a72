#pragma once
// Prepared statements, by table group; each function declares those of its file on a new connection.

#include <pqxx/pqxx>

namespace throughline::state_sync {

void prepare_fence(pqxx::connection& sql);
void prepare_session_rows(pqxx::connection& sql);
void prepare_turn_rows(pqxx::connection& sql);
void prepare_agent_rows(pqxx::connection& sql);
void prepare_access_rows(pqxx::connection& sql);

}  // namespace throughline::state_sync
