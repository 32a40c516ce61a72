#include "tests/unit/codec/json_schema.hpp"

#include <algorithm>
#include <array>
#include <regex>

#include "common/base/utf.hpp"

namespace throughline::test {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::array<std::string_view, 4> notes = {"$schema", "title", "description", "definitions"};

template <class T>
T as(element e) {
  T out{};
  if (e.get<T>().get(out) != simdjson::SUCCESS) throw std::runtime_error("a keyword's value has a wrong type");
  return out;
}

bool is_of(element value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  throw std::runtime_error("an unknown type");
}

bool equal(element a, element b) {
  return simdjson::minify(a) == simdjson::minify(b);
}

template <class Fits>
bool any_of(element list, Fits fits) {
  const auto items = as<simdjson::dom::array>(list);
  return std::any_of(items.begin(), items.end(), fits);
}

bool is_in_range(element value, std::string_view name, element arg) {
  const auto bound = static_cast<double>(as<std::int64_t>(arg));
  if (!value.is_number()) return true;
  const auto n = as<double>(value);
  return name == "minimum" ? n >= bound : n <= bound;
}

bool has_length(element value, std::string_view name, element arg) {
  const auto bound = as<std::uint64_t>(arg);
  if (!value.is_string()) return true;
  const auto length = as<std::string_view>(value).size();
  return name == "minLength" ? length >= bound : length <= bound;
}

bool matches(element value, element pattern) {
  if (!value.is_string()) return true;
  return std::regex_search(std::string(as<std::string_view>(value)),
                           std::regex(std::string(as<std::string_view>(pattern))));
}

}  // namespace

bool json_schema::accepts(std::string_view text, std::string_view pointer) const {
  simdjson::dom::parser parser;
  element value;
  return parser.parse(text.data(), text.size()).get(value) == simdjson::SUCCESS &&
         fits(value, root_.at_pointer(pointer).value());
}

bool json_schema::fits(element value, element schema) const {
  for (const auto& [name, arg] : as<simdjson::dom::object>(schema)) {
    if (!keyword(value, name, arg, schema)) return false;
  }
  return true;
}

bool json_schema::keyword(element value, std::string_view name, element arg, element schema) const {
  const auto fits_one = [&](element s) { return fits(value, s); };
  if (std::ranges::find(notes, name) != notes.end()) return true;
  if (name == "$ref") return fits(value, root_.at_pointer(as<std::string_view>(arg).substr(1)).value());
  if (name == "type") {
    if (arg.is_string()) return is_of(value, as<std::string_view>(arg));
    return any_of(arg, [&](element t) { return is_of(value, as<std::string_view>(t)); });
  }
  if (name == "enum") return any_of(arg, [&](element one) { return equal(one, value); });
  if (name == "anyOf") return any_of(arg, fits_one);
  if (name == "allOf") return !any_of(arg, [&](element s) { return !fits(value, s); });
  if (name == "not") return !fits(value, arg);
  if (name == "minimum" || name == "maximum") return is_in_range(value, name, arg);
  if (name == "minLength" || name == "maxLength") return has_length(value, name, arg);
  if (name == "pattern") return matches(value, arg);
  if (name == "maxItems") return !value.is_array() || as<simdjson::dom::array>(value).size() <= as<std::uint64_t>(arg);
  if (name == "minItems") return !value.is_array() || as<simdjson::dom::array>(value).size() >= as<std::uint64_t>(arg);
  if (name == "items") return !value.is_array() || !any_of(value, [&](element one) { return !fits(one, arg); });
  if (name == "required") {
    return !value.is_object() || !any_of(arg, [&](element field) {
      return value.at_key(as<std::string_view>(field)).error() != simdjson::SUCCESS;
    });
  }
  if (name == "properties") return !value.is_object() || fits_object(as<simdjson::dom::object>(value), schema, false);
  if (name == "additionalProperties") {
    return !value.is_object() || fits_object(as<simdjson::dom::object>(value), schema, !as<bool>(arg));
  }
  throw std::runtime_error("an unknown keyword: " + std::string(name));
}

bool json_schema::fits_object(simdjson::dom::object value, element schema, bool only_known) const {
  for (const auto& [name, field] : value) {
    element expected;
    if (schema.at_key("properties").at_key(name).get(expected) == simdjson::SUCCESS) {
      if (!fits(field, expected)) return false;
    } else if (only_known) {
      return false;
    }
  }
  return true;
}

}  // namespace throughline::test
