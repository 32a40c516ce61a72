#include "services/state-sync/shell/publisher.hpp"

#include <utility>

#include "common/codec/event_headers.hpp"
#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "common/codec/subjects.hpp"

namespace throughline::state_sync {

void publisher::publish(const std::vector<rendered_event>& events) {
  std::size_t failed = 0;
  for (const auto& [e, body] : events) {
    const auto headers = codec::write_headers(codec::headers_of(e));
    if (!link_.publish(codec::event_subject(e.session), headers, body)) ++failed;
  }
  if (failed > 0) probe_.events_not_published(failed);  // viewers find them by the head check
}

std::vector<session_id> publisher::carry_out(committed_batch&& batch, std::uint64_t epoch) {
  publish(batch.written.events);
  for (const auto& [id, row] : batch.written.attachments) {
    if (row) {
      orders_.attachment_is(id, row->state);
    } else {
      orders_.attachment_gone(id);
    }
  }
  for (const auto& [id, row] : batch.written.commands) {
    if (!row) orders_.command_gone(id);
  }
  std::vector<session_id> access;
  std::vector<reply_to> replies;
  for (auto& then : batch.after) {
    for (auto& o : then.orders) orders_.give(std::move(o), epoch);
    for (const auto& n : then.notices) {
      if (n.what == notice::kind::access_changed) {
        access.push_back(n.session);
        continue;
      }
      const codec::event_headers headers{codec::message_kind::deleted, {epoch, 0}, {}, false};
      (void)link_.publish(codec::event_subject(n.session), codec::write_headers(headers), "");
    }
    for (auto& r : then.replies) replies.push_back(std::move(r));
    if (then.frames_ignored > 0) probe_.frames_ignored(then.frames_ignored);
  }
  for (const auto& r : replies) replies_.answer(r.to, r.what, epoch);
  return access;
}

void publisher::access_changed(const session_id& session, const access_list& access, std::uint64_t epoch) {
  const codec::event_headers headers{codec::message_kind::access_changed, {epoch, 0}, {}, false};
  std::string body;
  codec::render_access(body, access, epoch);
  (void)link_.publish(codec::event_subject(session), codec::write_headers(headers), body);
}

void publisher::announce(const std::vector<stored_event>& events) {
  for (const auto& e : events) {
    const auto headers = codec::headers_of_body(e.body);
    if (headers) (void)link_.publish(codec::event_subject(e.session), codec::write_headers(*headers), e.body);
  }
}

}  // namespace throughline::state_sync
