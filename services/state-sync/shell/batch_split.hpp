#pragma once
// How a batch is taken apart to find the input at fault (design 3.6). Pure.

#include <exception>
#include <optional>
#include <vector>

#include "common/io/postgres/database.hpp"
#include "services/state-sync/shell/pending_input.hpp"

namespace throughline::state_sync {

/// Smaller parts, in order: each addressed session alone; of one session each input alone; of one hand-over each frame
/// alone, the last of which keeps the waiter. A single input that cannot be taken apart comes back as it is.
std::vector<std::vector<pending_input>> split_batch(std::vector<pending_input> batch);

/// Each addressed session alone, in the order in which they come first.
std::vector<std::vector<pending_input>> split_by_session(std::vector<pending_input> batch);

/// For a hand-over of one frame: the same without its content, so that its number is consumed.
std::optional<pending_input> empty_of(const pending_input& input);

/// Whose fault it is that a batch was not committed. What is neither the database's word about an input nor rows that
/// do not decode (memory is short, a socket fails) is the environment's: nothing is refused for it.
io::failure_kind fault_of(const std::exception& why);

}  // namespace throughline::state_sync
