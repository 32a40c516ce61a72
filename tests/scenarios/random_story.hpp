#pragma once
// Stories by chance: every kind of input, with few threads, ids and attachments, so that they meet. For finding what
// nobody thought of; a find becomes a scenario file.

#include <cstdint>
#include <string>

#include "common/base/ulid.hpp"

namespace throughline::tests {

/// The text of a story with `acts` inputs.
std::string random_story(std::uint64_t seed, int acts);

}  // namespace throughline::tests
