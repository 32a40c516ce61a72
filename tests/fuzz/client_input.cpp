// What a client sends: frames of a user socket, bodies and ids of HTTP requests, cursors. The first byte says which.

#include <cstdint>

#include "common/base/position.hpp"
#include "common/base/ulid.hpp"
#include "common/codec/http_bodies.hpp"
#include "common/codec/time_text.hpp"
#include "common/codec/user_frames.hpp"
#include "tests/fuzz/require.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

void check_create(std::string_view text) {
  const auto body = decode_create(text);
  if (!body) return;
  fuzz::require(body->metadata.size() <= metadata_bytes_max);
  const auto again = decode_create("{\"metadata\":" + body->metadata + "}");
  fuzz::require(again && again->metadata == body->metadata);
}

void check_message(std::string_view text) {
  const auto body = decode_post_message(text);
  fuzz::require(!body || (!body->content.empty() && body->content.size() <= prompt_bytes_max));
  fuzz::require(!body || !body->id || check_idempotency_id(*body->id).has_value());
}

void check_words(std::string_view text) {
  if (const auto at = parse_position(text)) fuzz::require(parse_position(to_text(*at)) == at);
  if (const auto at = parse_time(text)) fuzz::require(parse_time(time_text(*at)) == at);
  if (const auto ttl = parse_duration(text)) fuzz::require(ttl->count() > 0);
  fuzz::require(is_session_id(text) == shard_of(session_id(std::string(text))).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      check_create(text);
      break;
    case 1:
      check_message(text);
      break;
    case 2:
      fuzz::require(!decode_chat(text) || !decode_chat(text)->content.empty());
      break;
    case 3:
      (void)decode_mint_token(text);
      (void)decode_put_grant(text);
      break;
    case 4:
      (void)decode_rename(text);
      (void)decode_cancel(text);
      (void)decode_create_key(text);
      break;
    case 5:
      (void)encode_user_ack("1", text);
      break;
    case 6:
      check_words(text);
      break;
    default:
      if (const auto frame = decode_user_frame(text); !frame) fuzz::require(!frame.error().what.code.empty());
  }
  return 0;
}
