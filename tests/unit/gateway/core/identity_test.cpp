#include "services/gateway/core/identity.hpp"

#include <doctest/doctest.h>

#include "services/gateway/core/access.hpp"

using namespace throughline;
using namespace throughline::gateway;

namespace {

const origin_list no_origins;

std::string token_of(const credentials& shown, const origin_list& allowed = no_origins) {
  const auto found = find_token(shown, allowed);
  return found ? std::string(*found) : "!" + found.error().code;
}

claims good_claims() {
  return {.subject = "ana", .expires = 1000.0, .not_before = std::nullopt};
}

}  // namespace

TEST_CASE("the Authorization header comes before the cookie, the cookie before the query") {
  credentials shown{.authorization = "Bearer head",
                    .cookie = "a=1; access_token=cook; b=2",
                    .query_token = "query",
                    .origin = "https://here.example",
                    .host = "here.example",
                    .query_token_allowed = true};
  CHECK(token_of(shown) == "head");
  shown.authorization = {};
  CHECK(token_of(shown) == "cook");
  shown.cookie = "other=1; my_access_token=x";
  CHECK(token_of(shown) == "query");
  shown.query_token_allowed = false;
  CHECK(token_of(shown) == "!unauthorized");
}

TEST_CASE("an Authorization header that is no bearer token does not fall through to another source") {
  for (const auto* header : {"Basic abc", "Bearer", "Bearer ", "head", "Bearerhead"}) {
    CHECK(token_of({.authorization = header, .query_token = "query", .query_token_allowed = true}) == "!unauthorized");
  }
  CHECK(token_of({.authorization = "bearer  head "}) == "head");
}

TEST_CASE("a cookie counts from an allowed origin only") {
  credentials shown{.cookie = "access_token=cook", .origin = {}, .host = "here.example:8080", .read_only = true};
  CHECK(token_of(shown) == "cook");
  shown.read_only = false;  // a WebSocket, or a change
  CHECK(token_of(shown) == "!unauthorized");
  shown.origin = "http://here.example:8080";
  CHECK(token_of(shown) == "cook");
  shown.origin = "http://here.example";
  CHECK(token_of(shown) == "!unauthorized");
  shown.origin = "https://app.example";
  CHECK(token_of(shown) == "!unauthorized");
  CHECK(token_of(shown, {"https://app.example"}) == "cook");
  shown.read_only = true;
  shown.origin = "null";
  CHECK(token_of(shown, {"https://app.example"}) == "!unauthorized");
}

TEST_CASE("a token needs sub and exp, and exp has no leeway") {
  const auto who = identify(good_claims(), 999.9);
  REQUIRE(who);
  CHECK(who->user == user_id("ana"));
  CHECK(who->expires_unix_s == 1000.0);
  CHECK_FALSE(identify(good_claims(), 1000.0));

  auto said = good_claims();
  said.expires.reset();
  CHECK_FALSE(identify(said, 1));
  said = good_claims();
  said.subject.reset();
  CHECK_FALSE(identify(said, 1));
  for (const std::string& subject : {std::string(), std::string("a\nb"), std::string(257, 'a')}) {
    said.subject = subject;
    CHECK_FALSE(identify(said, 1));
  }
  said = good_claims();
  said.not_before = 500;
  CHECK_FALSE(identify(said, 499));
  CHECK(identify(said, 500));
}

TEST_CASE("what one may not see does not exist; what one may see but not do is forbidden") {
  const access_list access{
      .owner = user_id("ana"), .grants = {{user_id("ed"), role::editor}, {user_id("vi"), role::viewer}}, .version = 3};
  const auto code = [&](const char* user, right needed) {
    const auto said = judge(&access, user_id(user), needed);
    return said ? std::string("ok") : said.error().code;
  };
  CHECK(code("ana", right::own) == "ok");
  CHECK(code("ed", right::steer) == "ok");
  CHECK(code("ed", right::own) == "forbidden");
  CHECK(code("vi", right::watch) == "ok");
  CHECK(code("vi", right::steer) == "forbidden");
  CHECK(code("bob", right::watch) == "not_found");

  const auto invisible = judge(&access, user_id("bob"), right::watch);
  const auto absent = judge(nullptr, user_id("bob"), right::watch);
  CHECK(invisible.error().code == absent.error().code);
  CHECK(invisible.error().message == absent.error().message);
}
