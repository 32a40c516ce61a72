#include "services/gateway/shell/failures.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

using namespace throughline;

namespace {

std::string header(const io::http_response& response, const std::string& name) {
  const auto found = std::ranges::find(response.headers, name, &std::pair<std::string, std::string>::first);
  return found == response.headers.end() ? "" : found->second;
}

}  // namespace

TEST_CASE("a refusal says how to identify oneself, or when to come again") {
  const auto unknown = gateway::failure_of({"unauthorized", "no"});
  CHECK(unknown.status == 401);
  CHECK(header(unknown, "WWW-Authenticate") == "Bearer");
  for (const auto* code : {"too_many_sockets", "queue_full", "unavailable", "busy", "shutting_down"}) {
    CAPTURE(code);
    const auto later = gateway::failure_of({code, "later"});
    CHECK((later.status == 429 || later.status == 503));
    CHECK(header(later, "Retry-After") == "1");
  }
  CHECK(header(gateway::failure_of({"not_found", "no"}), "Retry-After").empty());
}

TEST_CASE("an owner's refusal carries the same headers") {
  CHECK(header(gateway::response_of({429, "{}"}), "Retry-After") == "1");
}
