// The routes and error codes of the code, and those of proto/openapi.json.

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "common/codec/http_bodies.hpp"
#include "services/gateway/core/routes.hpp"

using namespace throughline;
using namespace throughline::gateway;

namespace {

struct document {
  simdjson::padded_string text = simdjson::padded_string::load(THROUGHLINE_PROTO "/openapi.json").value();
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(text).value();
};

/// The parts of a path below /api/v1, its parameters replaced by words.
std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> out{"api", "v1"};
  std::istringstream in{std::string(path.substr(1))};
  for (std::string part; std::getline(in, part, '/');) out.push_back(part.starts_with('{') ? "word" : part);
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

TEST_CASE("the document has every route, with its methods, and no other") {
  document doc;
  std::set<operation> found;
  std::set<std::string> ids;
  for (const auto& [path, item] : doc.root["paths"].get_object().value()) {
    CAPTURE(path);
    const auto segments = segments_of(path);
    std::set<std::string> methods;
    for (const auto& [method, what] : item.get_object().value()) {
      if (method == "parameters") continue;
      const auto routed = find_route(upper(method), segments);
      REQUIRE(std::holds_alternative<route>(routed));
      CHECK(found.insert(std::get<route>(routed).what).second);
      CHECK(ids.insert(std::string(what["operationId"].get_string().value())).second);
      methods.insert(upper(method));
      if (method == "get") methods.insert("HEAD");
    }
    const auto refused = find_route("BREW", segments);
    REQUIRE(std::holds_alternative<wrong_method>(refused));
    std::set<std::string> allowed;
    std::istringstream list(std::get<wrong_method>(refused).allow);
    for (std::string one; std::getline(list >> std::ws, one, ',');) allowed.insert(one);
    CHECK(allowed == methods);
  }
  // The operations are numbered from 0, and user_socket is the last of them; each has one route.
  CHECK(found.size() == static_cast<std::size_t>(operation::user_socket) + 1);
}

TEST_CASE("the document has every error code, with its status") {
  document doc;
  std::map<std::string, std::int64_t> documented;
  for (const auto& [code, what] : doc.root["x-error-codes"].get_object().value()) {
    documented[std::string(code)] = what["status"].get_int64().value();
  }
  std::set<std::string> listed;
  for (const auto code :
       doc.root.at_pointer("/components/schemas/Error/properties/error/properties/code/enum").get_array().value()) {
    listed.insert(std::string(code.get_string().value()));
  }
  CHECK(listed.size() == documented.size());
  for (const auto& [code, status] : codec::http_statuses) {
    CAPTURE(code);
    CHECK(documented.contains(std::string(code)));
    CHECK(documented[std::string(code)] == status);
    CHECK(listed.contains(std::string(code)));
    documented.erase(std::string(code));
  }
  // Those of the port itself, and the one of an input that the database does not take.
  const std::map<std::string, std::int64_t> others = {{"bad_upgrade", 400},
                                                      {"method_not_allowed", 405},
                                                      {"header_too_large", 431},
                                                      {"internal", 500},
                                                      {"not_storable", 500}};
  CHECK(documented == others);
}
