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

/// Into a stream, waiting for room. False: the client has gone.
asio::awaitable<bool> put(io::event_stream& to, io::notifier& room, std::shared_ptr<const std::string> text) {
  for (;;) {
    const auto became = to.write(text);
    if (became != io::send_verdict::full) co_return became == io::send_verdict::queued;
    co_await room.wait();
  }
}

asio::awaitable<bool> put(io::event_stream& to, io::notifier& room, std::string_view text) {
  auto shared = std::make_shared<const std::string>(text);
  co_return co_await put(to, room, std::move(shared));
}

/// The last of a stream that ends before its answer. Without an end the client comes back, here or elsewhere, and goes
/// on where it was.
asio::awaitable<void> end(io::event_stream& to, io::notifier& room, const error& why) {
  if (why.code == "shutting_down" || why.code == "busy" || why.code == "unavailable") co_return;
  if (!co_await put(to, room, codec::encode_chat_error(std::nullopt, why))) co_return;
  co_await put(to, room, codec::chat_done);
}

}  // namespace

asio::awaitable<result<answers::joined>> answers::join(identity who, session_id session, interaction_id id,
                                                       std::optional<position> since) {
  if (draining_) co_return std::unexpected(draining());
  auto one =
      std::make_shared<answer_viewer>(cutter_, state_sync_, sessions_.of(session), std::move(who), std::move(id));
  const auto begun = co_await one->begin(since);
  if (!begun) co_return std::unexpected(begun.error());
  if (draining_) co_return std::unexpected(draining());
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
  loop_.spawn(pump(std::move(from), std::move(body)));
  return out;
}

asio::awaitable<void> answers::pump(joined from, std::shared_ptr<io::event_stream> to) {
  waiting_.insert(from);
  co_await serve(from, to);
  to->on_writable({});
  to->finish();
  waiting_.erase(from);
}

asio::awaitable<void> answers::serve(joined from, std::shared_ptr<io::event_stream> to) {
  const auto room = std::make_shared<io::notifier>(loop_.context());
  to->on_writable([room] { room->notify(); });
  to->on_closed([room, weak = std::weak_ptr(from)] {
    room->notify();
    if (const auto waiter = weak.lock()) waiter->stop({"gone", "the client has gone"});
  });
  auto said_at = steady_now();
  turn_patience patience(idle_max_, said_at);
  while (!to->closed()) {
    const auto chunks = co_await from->next(look_every);
    if (!chunks) {
      co_await end(*to, *room, chunks.error());
      co_return;
    }
    for (const auto& chunk : *chunks) {
      if (!co_await put(*to, *room, text_of(from->session(), chunk))) co_return;
      said_at = steady_now();
    }
    if (from->over()) {
      co_await put(*to, *room, codec::chat_done);
      co_return;
    }
    if (from->take_progress()) patience.progress(steady_now());
    if (const auto why = co_await given_up(*from, patience)) {
      co_await end(*to, *room, *why);
      co_return;
    }
    if (steady_now() - said_at < keep_alive_every) continue;
    said_at = steady_now();
    if (!co_await put(*to, *room, codec::chat_keep_alive)) co_return;
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
  std::vector<std::weak_ptr<answer_viewer>> all(waiting_.begin(), waiting_.end());
  const drain_pace pace(all.size(), spread);
  millis gone{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const auto due = pace.when(i); due > gone) {
      co_await io::sleep_for(due - gone);
      gone = due;
    }
    if (const auto waiter = all[i].lock()) waiter->stop(draining());
  }
}

}  // namespace throughline::gateway
