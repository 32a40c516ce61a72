#include "services/gateway/core/routes.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

routing of(std::string_view method, const std::vector<std::string>& below) {
  std::vector<std::string> segments{"api", "v1"};
  segments.insert(segments.end(), below.begin(), below.end());
  return find_route(method, segments);
}

std::string allow_of(const routing& r) {
  const auto* wrong = std::get_if<wrong_method>(&r);
  return wrong == nullptr ? "-" : wrong->allow;
}

}  // namespace

TEST_CASE("method and path name the operation, and path parts come out as given") {
  const auto r = of("PUT", {"sessions", "ses_x", "grants", "a b/c"});
  REQUIRE(std::holds_alternative<route>(r));
  CHECK(std::get<route>(r).what == operation::put_grant);
  CHECK(std::get<route>(r).session == "ses_x");
  CHECK(std::get<route>(r).inner == "a b/c");
  CHECK(std::get<route>(of("GET", {"ws", "user"})).what == operation::user_socket);
  CHECK(std::get<route>(of("HEAD", {"sessions"})).what == operation::list_sessions);
  CHECK(std::get<route>(of("GET", {"sessions", "s", "interactions", "i"})).what == operation::read_interaction);
  const auto stream = std::get<route>(of("GET", {"sessions", "s", "interactions", "i", "stream"}));
  CHECK(stream.what == operation::stream_answer);
  CHECK(stream.inner == "i");
  CHECK(is_stream(stream.what));
  CHECK(std::get<route>(of("POST", {"sessions", "chat"})).what == operation::chat);
}

TEST_CASE("a known path with another method says what is allowed") {
  CHECK(allow_of(of("DELETE", {"sessions"})) == "POST, GET, HEAD");
  CHECK(allow_of(of("PATCH", {"sessions", "s"})) == "GET, HEAD, PUT, DELETE");
  CHECK(allow_of(of("GET", {"sessions", "s", "messages"})) == "POST");
}

TEST_CASE("anything else is no path") {
  CHECK(std::holds_alternative<unknown_path>(of("GET", {"sessions", ""})));
  CHECK(std::holds_alternative<unknown_path>(of("GET", {"sessions", "s", "nothing"})));
  CHECK(std::holds_alternative<unknown_path>(of("GET", {"sessions", "s", "events", "x"})));
  const std::vector<std::string> short_path{"api", "v1"};
  CHECK(std::holds_alternative<unknown_path>(find_route("GET", short_path)));
  const std::vector<std::string> other_version{"api", "v2", "sessions"};
  CHECK(std::holds_alternative<unknown_path>(find_route("GET", other_version)));
}

TEST_CASE("an editor steers, only the owner gives rights away") {
  CHECK(right_needed(operation::user_socket) == right::watch);
  CHECK(right_needed(operation::mint_agent_token) == right::steer);
  CHECK(right_needed(operation::list_grants) == right::own);
  CHECK(right_needed(operation::delete_session) == right::own);
}

TEST_CASE("a path with a name of its own is not a session of that name") {
  const std::vector<std::string> chat{"api", "v1", "sessions", "chat"};
  const auto refused = find_route("GET", chat);
  REQUIRE(std::holds_alternative<wrong_method>(refused));
  CHECK(std::get<wrong_method>(refused).allow == "POST");
}

TEST_CASE("what waits for a turn is not begun by a gateway that drains, anything else is answered") {
  CHECK(stays(operation::chat));
  CHECK(stays(operation::stream_answer));
  CHECK_FALSE(stays(operation::post_message));
  CHECK_FALSE(stays(operation::cancel));
  CHECK_FALSE(stays(operation::read_events));
}
