#include "services/gateway/shell/answers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/gateway/core/drain_pace.hpp"
#include "services/gateway/shell/failures.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis keep_alive_every{15'000};
/// The longest one waits before patience and token are looked at again.
constexpr millis look_every{1'000};
constexpr millis read_budget{4'000};

/// Of a stream that was sent away: for its client to take what is on its way.
constexpr millis leave_max{1'000};

std::shared_ptr<const std::string> text(std::string_view constant) {
  return std::make_shared<const std::string>(constant);
}

std::shared_ptr<const std::string> text_of(const session_id& session, const answer_chunk& chunk) {
  using kind = answer_chunk::kind;
  if (chunk.what == kind::failed) {
    return std::make_shared<const std::string>(codec::encode_chat_error(chunk.at, chunk.why));
  }
  codec::chat_chunk out{.at = chunk.at,
                        .reset = chunk.what == kind::reset,
                        .stop = chunk.what == kind::finished,
                        .content = chunk.content,
                        .patch_list = chunk.patch_list,
                        .entry_count = chunk.entry_count};
  return std::make_shared<const std::string>(codec::encode_chat_chunk(session, out));
}

/// The last of a stream that ends before its answer, where there is room for it. Without an end the client comes back,
/// here or elsewhere, and goes on where it was: at once, where it is this gateway that goes.
void end(io::event_stream& to, const error& why, bool leaves) {
  const auto say = [&to](std::string_view text) {
    return to.write(std::make_shared<const std::string>(text)) == io::send_verdict::queued;
  };
  if (leaves) {
    (void)say(codec::chat_come_back);
  } else if (why.code != "shutting_down" && why.code != "busy" && why.code != "unavailable") {
    (void)(say(codec::encode_chat_error(std::nullopt, why)) && say(codec::chat_done));
  }
}

}  // namespace

asio::awaitable<result<answers::joined>> answers::join(identity who, session_id session, interaction_id id,
                                                       std::optional<position> since) {
  if (draining_) co_return std::unexpected(draining());
  if (state_sync_.is_cut_off()) co_return std::unexpected(cut_off());
  auto one =
      std::make_shared<answer_viewer>(cutter_, state_sync_, sessions_.of(session), std::move(who), std::move(id));
  const auto begun = co_await one->begin(since);
  if (!begun) co_return std::unexpected(begun.error());
  if (draining_) co_return std::unexpected(draining());
  if (state_sync_.is_cut_off()) co_return std::unexpected(cut_off());
  co_return one;
}

asio::awaitable<std::optional<error>> answers::given_up(const answer_viewer& from, turn_patience& patience) {
  const auto expires = from.who().expires_unix_s;
  if (expires && *expires <= unix_now_s()) co_return error{"unauthorized", "the token has expired"};
  if (!patience.has_ended(steady_now())) co_return std::nullopt;
  const auto heard = co_await state_sync_.read_as<activity_reading>(read_activity{from.session()}, read_budget);
  co_return patience.heard(heard ? std::optional(*heard) : std::nullopt, steady_now());
}

asio::awaitable<result<std::shared_ptr<const interaction>>> answers::wait(joined from) {
  waiting_.insert(from);
  turn_patience patience(idle_max_, steady_now());
  for (;;) {
    const auto chunks = co_await from->next(look_every);
    if (!chunks) {
      waiting_.erase(from);
      co_return std::unexpected(chunks.error());
    }
    if (from->over()) {
      waiting_.erase(from);
      const auto& last = chunks->back();
      if (last.what == answer_chunk::kind::finished) co_return last.record;
      co_return std::unexpected(last.why);
    }
    if (from->take_progress()) patience.progress(steady_now());
    if (auto why = co_await given_up(*from, patience)) {
      waiting_.erase(from);
      co_return std::unexpected(std::move(*why));
    }
  }
}

io::stream_response answers::stream(joined from) {
  auto body = std::make_shared<io::event_stream>();
  io::stream_response out{.status = 200,
                          .headers = {{"Content-Type", "text/event-stream"},
                                      {"Cache-Control", "no-cache"},
                                      {"X-Accel-Buffering", "no"},
                                      {"X-Interaction-ID", from->waits_for().text()}},
                          .body = body};
  waiting_.insert(from);
  loop_.spawn(pump(std::move(from), std::move(body)));
  return out;
}

asio::awaitable<void> answers::pump(joined from, std::shared_ptr<io::event_stream> to) {
  const auto why = co_await serve(from, to);
  if (why) end(*to, *why, from->sent_away() || state_sync_.is_cut_off());
  to->on_writable({});
  to->finish();
  waiting_.erase(from);
  if (!from->sent_away()) co_return;
  // A client that does not read would hold a drain to its end.
  for (const auto until = steady_now() + leave_max; !to->closed() && steady_now() < until;) {
    co_await from->woken(until - steady_now());
  }
  to->cut();
}

asio::awaitable<std::optional<error>> answers::serve(joined from, std::shared_ptr<io::event_stream> to) {
  to->on_writable([weak = std::weak_ptr(from)] {
    if (const auto waiter = weak.lock()) waiter->wake();
  });
  to->on_closed([weak = std::weak_ptr(from)] {
    if (const auto waiter = weak.lock()) waiter->stop({"gone", "the client has gone"});
  });
  auto said_at = steady_now();
  turn_patience patience(idle_max_, said_at);
  for (;;) {
    auto chunks = co_await from->next(look_every);
    if (!chunks) co_return std::move(chunks.error());
    for (const auto& chunk : *chunks) {
      if (auto why = co_await put(*to, *from, patience, text_of(from->session(), chunk))) co_return why;
      said_at = steady_now();
    }
    if (from->over()) co_return co_await put(*to, *from, patience, text(codec::chat_done));
    if (from->take_progress()) patience.progress(steady_now());
    if (auto why = co_await given_up(*from, patience)) co_return why;
    if (steady_now() - said_at < keep_alive_every) continue;
    said_at = steady_now();
    if (auto why = co_await put(*to, *from, patience, text(codec::chat_keep_alive))) co_return why;
  }
}

asio::awaitable<std::optional<error>> answers::put(io::event_stream& to, answer_viewer& from, turn_patience& patience,
                                                   std::shared_ptr<const std::string> text) {
  for (;;) {
    const auto became = to.write(text);
    if (became == io::send_verdict::queued) co_return std::nullopt;
    if (became == io::send_verdict::closed) co_return error{"gone", "the client has gone"};
    if (const auto& why = from.stopped()) co_return *why;
    co_await from.woken(look_every);
    if (auto why = co_await given_up(from, patience)) co_return why;
  }
}

void answers::key_revoked(const std::string& key_hash) {
  const std::vector all(waiting_.begin(), waiting_.end());
  for (const auto& one : all) {
    if (!key_hash.empty() && one->who().key_hash == key_hash) one->stop({"unauthorized", "the key was revoked"});
  }
}

void answers::add_keys(std::unordered_set<std::string>& to) const {
  for (const auto& one : waiting_) {
    if (!one->who().key_hash.empty()) to.insert(one->who().key_hash);
  }
}

asio::awaitable<void> answers::drain(millis spread) {
  draining_ = true;
  return send_away(spread, draining());
}

asio::awaitable<void> answers::send_away(millis spread, error why) {
  std::vector<std::weak_ptr<answer_viewer>> all(waiting_.begin(), waiting_.end());
  const drain_pace pace(all.size(), spread);
  millis gone{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const auto due = pace.when(i); due > gone) {
      co_await io::sleep_for(due - gone);
      gone = due;
    }
    if (const auto waiter = all[i].lock()) waiter->send_away(why);
  }
}

}  // namespace throughline::gateway
