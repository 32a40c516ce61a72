#include "services/state-sync/shell/batch_split.hpp"

#include <unordered_map>
#include <utility>

#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {
namespace {

using parts = std::vector<std::vector<pending_input>>;

parts by_frame(const pending_input& input) {
  const auto& whole = *frames_of(input);
  parts out;
  for (std::size_t i = 0; i < whole.frames.size(); ++i) {
    pending_input one = input;
    auto& request = *one.request();
    std::get<hand_over>(request.request).frames = {whole.frames[i]};
    if (i + 1 < whole.frames.size()) request.from = 0;
    out.emplace_back().push_back(std::move(one));
  }
  return out;
}

}  // namespace

parts split_by_session(std::vector<pending_input> batch) {
  parts out;
  std::unordered_map<session_id, std::size_t> known;
  for (auto& input : batch) {
    const auto [at, added] = known.emplace(input.to, out.size());
    if (added) out.emplace_back();
    out[at->second].push_back(std::move(input));
  }
  return out;
}

parts split_batch(std::vector<pending_input> batch) {
  if (batch.empty()) return {};
  if (batch.size() == 1) {
    const auto* frames = frames_of(batch.front());
    if (frames != nullptr && frames->frames.size() > 1) return by_frame(batch.front());
    parts same;
    same.push_back(std::move(batch));
    return same;
  }
  auto sessions = split_by_session(std::move(batch));
  if (sessions.size() > 1) return sessions;
  parts singles;
  for (auto& input : sessions.front()) singles.emplace_back().push_back(std::move(input));
  return singles;
}

std::optional<pending_input> empty_of(const pending_input& input) {
  const auto* frames = frames_of(input);
  if (frames == nullptr || frames->frames.size() != 1 || !frames->frames.front().event) return std::nullopt;
  pending_input emptied = input;
  std::get<hand_over>(emptied.request()->request).frames.front().event.reset();
  return emptied;
}

io::failure_kind fault_of(const std::exception& why) {
  const bool undecodable =
      dynamic_cast<const bad_stored*>(&why) != nullptr || dynamic_cast<const pqxx::conversion_error*>(&why) != nullptr;
  return undecodable ? io::failure_kind::input_fault : io::classify(why);
}

}  // namespace throughline::state_sync
