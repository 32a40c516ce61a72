#pragma once
// A committed change with a seq, before it is rendered to the JSON that viewers receive (design 3.8, 5.4).

#include <memory>
#include <variant>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/position.hpp"
#include "common/model/entry.hpp"
#include "common/model/interaction.hpp"
#include "common/model/session.hpp"

namespace throughline {

enum class event_kind { session_update, interaction_update, interaction_patch };

/// The values are as they stood at this event; shared, since several events of one decision may show the same one.
using event_body = std::variant<std::shared_ptr<const session>, std::shared_ptr<const interaction>, patch_set>;

struct event {
  session_id session;
  position at;  ///< the epoch is that of the transaction
  user_id owner;
  interaction_id interaction;  ///< empty where none
  instant created;
  event_body body;
};

inline event_kind kind_of(const event& e) {
  return static_cast<event_kind>(e.body.index());
}

}  // namespace throughline
