#pragma once
// Decisions as lines of a story: events first, as viewers would get them, then what follows the commit.

#include <string>
#include <vector>

#include "services/state-sync/core/decision.hpp"

namespace throughline::tests {

std::string print(const event& e);
std::vector<std::string> print(const state_sync::consequences& c);
std::string print(const reply& r);
/// Every row that is to be written, field by field: for comparing two decisions.
std::vector<std::string> print_rows(const state_sync::changes& c);
/// A turn as a reader of the database sees it.
std::string print(const state_sync::turn_row& t);

}  // namespace throughline::tests
