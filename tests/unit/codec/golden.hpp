#pragma once
// The golden messages and schemas of proto/, and what every kind of them is held to.

#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "common/base/result.hpp"
#include "tests/unit/codec/json_schema.hpp"

namespace throughline::test {

inline std::string file(const std::string& path) {
  std::ifstream in(std::string(THROUGHLINE_PROTO) + "/" + path);
  REQUIRE_MESSAGE(in.good(), path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::vector<std::string> lines(const std::string& name) {
  std::istringstream in(file("golden/" + name + ".jsonl"));
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  REQUIRE_FALSE(out.empty());
  return out;
}

/// One field of a line that describes a frame.
inline std::string field(const std::string& line, const char* name) {
  simdjson::dom::parser parser;
  std::string_view value;
  REQUIRE(parser.parse(line)[name].get(value) == simdjson::SUCCESS);
  return std::string(value);
}

inline json_schema schema_of(const std::string& name) {
  return json_schema(file("schemas/" + name + ".json"));
}

/// What a decoder made of a text: nothing, or its error.
using decoder = std::function<std::optional<error>(const std::string& text)>;

template <class Decode>
decoder outcome_of(Decode decode) {
  return [decode](const std::string& text) -> std::optional<error> {
    const auto decoded = decode(text);
    if (decoded) return std::nullopt;
    if constexpr (requires { decoded.error().what; }) {
      return decoded.error().what;
    } else {
      return decoded.error();
    }
  };
}

inline void check_valid(const std::string& name, const json_schema& s, const decoder& decode) {
  for (const auto& line : lines(name)) {
    CAPTURE(line);
    const auto fault = decode(line);
    if (fault) FAIL_CHECK(fault->message);
    CHECK(s.accepts(line));
  }
}

inline void check_invalid(const std::string& name, const json_schema& s, const decoder& decode) {
  for (const auto& line : lines(name)) {
    CAPTURE(line);
    const auto text = field(line, "text");
    const auto fault = decode(text);
    REQUIRE(fault);
    CHECK(fault->code == field(line, "code"));
    CHECK(fault->message.find(field(line, "names")) != std::string::npos);
    CHECK_FALSE(s.accepts(text));
  }
}

}  // namespace throughline::test
