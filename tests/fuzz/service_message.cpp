// Messages between services, and stored bodies: what is taken is written back the same. The first byte says which.

#include <cstdint>

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/delta/patch.hpp"
#include "tests/fuzz/require.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

void check_request(std::string_view text) {
  const auto message = decode_request(text);
  if (!message) return fuzz::require(message.error().code == "bad_message");
  const auto once = std::visit([&](const auto& r) { return encode(r, message->budget); }, message->what);
  const auto again = decode_request(once);
  fuzz::require(again.has_value());
  fuzz::require(std::visit([&](const auto& r) { return encode(r, again->budget); }, again->what) == once);
}

template <class Decode>
void check_envelope(std::string_view text, Decode decode) {
  const auto message = decode(text);
  if (!message) return fuzz::require(message.error().code == "bad_message");
  const auto once = encode(message->what, message->epoch);
  const auto again = decode(once);
  fuzz::require(again.has_value());
  fuzz::require(encode(again->what, again->epoch) == once);
}

void check_stored(std::string_view text) {
  (void)headers_of_body(text);
  (void)parse_access(text);
  (void)parse_usage(text);
  (void)parse_interaction_event(text);
  if (const auto i = parse_interaction(text)) {
    std::string once;
    render_interaction(once, *i);
    fuzz::require(parse_interaction(once).has_value());
  }
  if (const auto set = parse_patch_event(text); set && set->entry_count < 1000) {
    std::vector<entry> entries;
    delta::apply(entries, *set);
    fuzz::require(entries.size() == set->entry_count);
  }
}

void check_subject(std::string_view text) {
  if (const auto session = parse_event_subject(text)) fuzz::require(event_subject(*session) == text);
  if (const auto bridge = parse_bridge_subject(text)) fuzz::require(bridge_subject(*bridge) == text);
  if (const auto shard = parse_shard_subject(text)) fuzz::require(shard_subject(*shard) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      check_request(text);
      break;
    case 1:
      check_envelope(text, decode_reply);
      break;
    case 2:
      check_envelope(text, decode_reading);
      break;
    case 3:
      check_envelope(text, decode_order);
      break;
    case 4:
      check_stored(text);
      break;
    default:
      check_subject(text);
  }
  return 0;
}
