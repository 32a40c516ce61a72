#pragma once
// The NATS headers of a message on tl1.ev.<session>: all that a gateway knows of an event whose body it passes on
// unread (design 3.8).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/position.hpp"
#include "common/base/result.hpp"
#include "common/model/event.hpp"

namespace throughline::codec {

inline constexpr const char* header_epoch = "Tl-Epoch";
inline constexpr const char* header_seq = "Tl-Seq";
inline constexpr const char* header_kind = "Tl-Kind";
inline constexpr const char* header_interaction = "Tl-Interaction";
inline constexpr const char* header_terminal = "Tl-Terminal";

/// The first three are events with a seq, in the order of event_kind. The other two are notices without one:
/// access_changed (body: `render_access` of render.hpp) and deleted (empty body).
enum class message_kind { session_update, interaction_update, interaction_patch, access_changed, deleted };

constexpr bool is_event(message_kind k) {
  return k <= message_kind::interaction_patch;
}

struct event_headers {
  message_kind kind = message_kind::session_update;
  position at;  ///< of a notice only the epoch
  interaction_id interaction;
  bool terminal = false;
  bool operator==(const event_headers&) const = default;
};

event_headers headers_of(const event& e);

using header_list = std::vector<std::pair<std::string, std::string>>;
header_list write_headers(const event_headers& headers);

/// `lookup` gives the value of a header by its name, nothing where it is absent. Error `bad_message` names the header.
using header_lookup = std::function<std::optional<std::string_view>(const char* name)>;
result<event_headers> read_headers(const header_lookup& lookup);

}  // namespace throughline::codec
