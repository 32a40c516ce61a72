#pragma once
// As much of JSON Schema (draft 4, and 2020-12 where they agree) as the schemas in proto/ use. A keyword that is not
// known here is a fault of the schema: nothing is left unchecked in silence.

#include <stdexcept>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace throughline::test {

class json_schema {
 public:
  /// `text` must be a schema; throws when it is not JSON.
  explicit json_schema(std::string_view text) {
    if (parser_.parse(text.data(), text.size()).get(root_) != simdjson::SUCCESS) throw std::runtime_error("no JSON");
  }

  json_schema(const json_schema&) = delete;
  json_schema& operator=(const json_schema&) = delete;

  /// False also for a text that is not JSON. Throws on an unknown keyword or a reference that leads nowhere.
  bool accepts(std::string_view text) const { return accepts(text, ""); }
  /// The same, by the schema that stands at this JSON pointer.
  bool accepts(std::string_view text, std::string_view pointer) const;

 private:
  using element = simdjson::dom::element;
  bool fits(element value, element schema) const;
  bool keyword(element value, std::string_view name, element arg, element schema) const;
  bool fits_object(simdjson::dom::object value, element schema, bool only_known) const;

  simdjson::dom::parser parser_;
  element root_;
};

}  // namespace throughline::test
