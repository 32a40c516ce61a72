#include "common/codec/event_headers.hpp"

#include <map>

#include <doctest/doctest.h>

#include "common/codec/close_codes.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

result<event_headers> read(const std::map<std::string, std::string>& headers) {
  return read_headers([&](const char* name) -> std::optional<std::string_view> {
    const auto found = headers.find(name);
    if (found == headers.end()) return std::nullopt;
    return found->second;
  });
}

result<event_headers> read(const header_list& headers) {
  return read(std::map<std::string, std::string>(headers.begin(), headers.end()));
}

}  // namespace

TEST_CASE("headers are written and read back") {
  const event_headers all[] = {
      {message_kind::session_update, {1, 42}, {}, false},
      {message_kind::interaction_update, {2, 1}, interaction_id("int_1"), false},
      {message_kind::interaction_update, {2, 2}, interaction_id("int_1"), true},
      {message_kind::interaction_patch, {18446744073709551615ULL, 7}, interaction_id("int_2"), false},
      {message_kind::access_changed, {3, 0}, {}, false},
      {message_kind::deleted, {3, 0}, {}, false},
  };
  for (const auto& h : all) CHECK(read(write_headers(h)).value() == h);
  CHECK(write_headers(all[2]) == header_list{{"Tl-Epoch", "2"},
                                             {"Tl-Seq", "2"},
                                             {"Tl-Kind", "interaction_update"},
                                             {"Tl-Interaction", "int_1"},
                                             {"Tl-Terminal", "1"}});
}

TEST_CASE("the headers of an event follow from it") {
  event e;
  e.at = {1, 5};
  e.interaction = interaction_id("int_1");
  auto i = std::make_shared<interaction>();
  i->state = turn_state::waiting;
  e.body = std::shared_ptr<const interaction>(i);
  CHECK(headers_of(e) == event_headers{message_kind::interaction_update, {1, 5}, interaction_id("int_1"), false});
  i->state = turn_state::interrupted;
  CHECK(headers_of(e).terminal);
  e.body = patch_set{};
  CHECK(headers_of(e).kind == message_kind::interaction_patch);
  CHECK_FALSE(headers_of(e).terminal);
}

TEST_CASE("headers that are missing or malformed are named") {
  using pairs = std::map<std::string, std::string>;
  const std::pair<pairs, const char*> cases[] = {
      {{}, "Tl-Kind"},
      {{{"Tl-Kind", "nonsense"}, {"Tl-Epoch", "1"}, {"Tl-Seq", "1"}}, "Tl-Kind"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Seq", "1"}}, "Tl-Epoch"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Epoch", "0"}, {"Tl-Seq", "1"}}, "Tl-Epoch"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Epoch", "1"}}, "Tl-Seq"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Epoch", "1"}, {"Tl-Seq", "-1"}}, "Tl-Seq"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Epoch", "1"}, {"Tl-Seq", "1x"}}, "Tl-Seq"},
      {{{"Tl-Kind", "session_update"}, {"Tl-Epoch", "1"}, {"Tl-Seq", "1"}, {"Tl-Terminal", "1"}}, "Tl-Terminal"},
      {{{"Tl-Kind", "interaction_update"}, {"Tl-Epoch", "1"}, {"Tl-Seq", "1"}, {"Tl-Terminal", "no"}}, "Tl-Terminal"},
  };
  for (const auto& [headers, name] : cases) {
    const auto h = read(headers);
    REQUIRE_FALSE(h);
    CHECK(h.error().code == "bad_message");
    CHECK(h.error().message.find(name) != std::string::npos);
  }
}

TEST_CASE("close codes are those of the contract") {
  namespace c = close_code;
  CHECK(c::going_away == 1001);
  CHECK(c::policy == 1008);
  CHECK(c::superseded == 4001);
  CHECK(c::unauthorized == 4401);
  CHECK(c::not_found == 4404);
  CHECK(c::too_many == 4429);
  CHECK(c::try_again_later == 4503);
}
