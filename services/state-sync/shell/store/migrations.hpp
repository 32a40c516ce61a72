#pragma once
// The numbered migrations of services/state-sync/schema, embedded at build time.

#include <vector>

namespace throughline::state_sync {

struct migration {
  int number = 0;  ///< from 1, without gaps
  const char* name = "";
  const char* sql = "";
};

const std::vector<migration>& all_migrations();

}  // namespace throughline::state_sync
