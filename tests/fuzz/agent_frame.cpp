// Agent frames: whatever arrives, what comes out is clean, bounded, and survives the wire to state-sync.

#include <cstdint>

#include "common/base/utf.hpp"
#include "common/codec/agent_frames.hpp"
#include "common/codec/requests.hpp"
#include "tests/fuzz/require.hpp"

using namespace throughline;

namespace {

constexpr std::size_t entry_bytes_max = 64;

void check_content(const agent_event& event) {
  const auto* added = std::get_if<agent::message_added>(&event);
  if (!added) return;
  auto text = added->content.text;
  fuzz::require(text.size() <= entry_bytes_max);
  fuzz::require(is_utf8(text));
  fuzz::require(!sanitise(text));
  fuzz::require(added->thread.text().size() <= outside_id_bytes_max && !added->thread.empty());
  fuzz::require(added->message.text().size() <= outside_id_bytes_max && !added->message.empty());
}

void check_hand_over(agent_event event) {
  const session_request sent = hand_over{.session = session_id("ses_01h2xcejqtf2nbrexx3vqjhp41"),
                                         .attachment = attachment_id("att_1"),
                                         .frames = {{1, std::move(event)}}};
  const auto text = codec::encode(sent, millis(1));
  const auto received = codec::decode_request(text);
  fuzz::require(received.has_value());
  fuzz::require(codec::encode(std::get<session_request>(received->what), millis(1)) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto frame = codec::decode_agent_frame(text, entry_bytes_max);
  if (!frame) {
    fuzz::require(frame.error().code == "bad_frame" && !frame.error().message.empty());
    return 0;
  }
  if (const auto* event = std::get_if<agent_event>(&frame->what)) {
    check_content(*event);
    check_hand_over(*event);
  }
  return 0;
}
