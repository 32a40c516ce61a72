#pragma once
// Small lists within a column: length-prefixed fields, `5:hello3:abc`, so that any text fits. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

std::string pack(const std::vector<std::string>& fields);
/// Throws bad_stored on anything that `pack` does not write.
std::vector<std::string> unpack(std::string_view packed);

std::string pack_silent(const std::vector<silent_entry>& entries);
std::vector<silent_entry> unpack_silent(std::string_view packed);
std::string pack_digests(const std::vector<entry_digest>& digests);
std::vector<entry_digest> unpack_digests(std::string_view packed);

}  // namespace throughline::state_sync
