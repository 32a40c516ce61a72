#include "services/gateway/shell/user_commands.hpp"

#include <utility>
#include <variant>

#include <simdjson.h>

#include "services/gateway/shell/user_socket.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

/// The error in a body of design 5.3.
error error_in(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object inner;
  std::string_view code;
  std::string_view message;
  if (parser.parse(body)["error"].get(inner) != simdjson::SUCCESS || inner["code"].get(code) != simdjson::SUCCESS ||
      inner["message"].get(message) != simdjson::SUCCESS) {
    return {"refused", "the request was refused"};
  }
  return {std::string(code), std::string(message)};
}

}  // namespace

asio::awaitable<void> user_commands::take(std::shared_ptr<user_socket> from, std::string text) {
  auto frame = codec::decode_user_frame(text);
  if (!frame) {
    const auto& fault = frame.error();
    from->say(codec::encode_user_error(fault.id, fault.what.code, fault.what.message));
  } else if (auto* p = std::get_if<codec::user::prompt>(&*frame)) {
    co_await prompt(std::move(from), std::move(*p));
  } else if (auto* c = std::get_if<codec::user::cancel>(&*frame)) {
    if (from->cancels >= cancels_max) {
      from->say(codec::encode_user_error(c->id, "busy", "too many cancels are under way"));
    } else {
      loop_.spawn(cancel(std::move(from), std::move(*c)));
    }
  } else if (auto* t = std::get_if<codec::user::token>(&*frame)) {
    co_await token(std::move(from), std::move(*t));
  } else {
    from->resync();
  }
}

void user_commands::answer_with(user_socket& to, const std::string& id, const result<answer>& said) {
  if (said && said->status < 300) {
    to.say(codec::encode_user_ack(id, said->body));
    return;
  }
  const auto why = said ? error_in(said->body) : said.error();
  to.say(codec::encode_user_error(id, why.code, why.message));
}

asio::awaitable<void> user_commands::prompt(std::shared_ptr<user_socket> from, codec::user::prompt frame) {
  post_prompt what{.by = {from->who().user, frame.id, {}},
                   .session = from->session(),
                   .content = std::move(frame.content),
                   .interrupt = frame.interrupt};
  const auto said = co_await state_sync_.change(std::move(what), {});
  answer_with(*from, frame.id, said);
}

asio::awaitable<void> user_commands::cancel(std::shared_ptr<user_socket> from, codec::user::cancel frame) {
  ++from->cancels;
  cancel_turn what{
      .by = {from->who().user, frame.id, {}}, .session = from->session(), .interaction = std::move(frame.interaction)};
  const auto said = co_await state_sync_.change(std::move(what), cancel_patience);
  --from->cancels;
  answer_with(*from, frame.id, said);
}

// A refresh in place: the same user, with a later end.
asio::awaitable<void> user_commands::token(std::shared_ptr<user_socket> from, codec::user::token frame) {
  auto who = co_await identify_.of_token(std::move(frame.value));
  if (who && who->user != from->who().user) who = fail("unauthorized", "the token is another user's");
  if (who) {
    from->renew(std::move(*who));
    from->say(codec::encode_user_ack(frame.id));
  } else {
    from->say(codec::encode_user_error(frame.id, who.error().code, who.error().message));
  }
}

}  // namespace throughline::gateway
