#pragma once
// What an agent-bridge knows of its attachments: numbers, and the contents forwarded last (design 3.9, 3.10).

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/model/request.hpp"
#include "tests/scenarios/names.hpp"
#include "tests/scenarios/story.hpp"

namespace throughline::tests {

class bridge_memory {
 public:
  explicit bridge_memory(const names& known) : names_(known) {}

  /// Numbers new frames and hands them over.
  hand_over send(const attachment_id& a, const std::vector<line>& frames);
  /// The frames with these numbers again, byte for byte.
  hand_over send_again(const attachment_id& a, std::uint64_t from, std::uint64_t to);
  /// The answer to need_full: `number` in full with the newest content, later ones of that entry empty.
  hand_over send_full(const attachment_id& a, std::uint64_t number);
  std::uint64_t last_number(const attachment_id& a) const;

 private:
  struct sent {
    std::vector<numbered_frame> frames;
    std::map<std::pair<thread_id, message_id>, std::string> forwarded;
  };

  agent_event frame_of(sent& s, const line& l) const;
  agent::message_added message_of(sent& s, const line& l, agent::author role) const;
  request_id request_of(const line& l) const;

  const names& names_;
  std::map<attachment_id, sent> attachments_;
};

}  // namespace throughline::tests
