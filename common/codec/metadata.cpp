#include "common/codec/metadata.hpp"

#include "common/base/utf.hpp"
#include "common/codec/json_read.hpp"
#include "common/codec/json_write.hpp"

namespace throughline::codec {
namespace {

bool append_list(std::string& out, simdjson::dom::array list) {
  out += '[';
  bool first = true;
  for (const auto one : list) {
    if (!first) out += ',';
    first = false;
    if (!append_sanitised(out, one)) return false;
  }
  out += ']';
  return true;
}

bool append_object(std::string& out, simdjson::dom::object object) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : object) {
    if (!simdjson::validate_utf8(name.data(), name.size())) return false;
    if (!first) out += ',';
    first = false;
    std::string clean(name);
    sanitise(clean);
    append_quoted(out, clean);
    out += ':';
    if (!append_sanitised(out, value)) return false;
  }
  out += '}';
  return true;
}

}  // namespace

// The depth is that of the document: bounded by json_depth_max.
bool append_sanitised(std::string& out, simdjson::dom::element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::ARRAY:
      return append_list(out, value.get_array().value_unsafe());
    case simdjson::dom::element_type::OBJECT:
      return append_object(out, value.get_object().value_unsafe());
    case simdjson::dom::element_type::STRING: {
      std::string text;
      if (!take_text(value, text)) return false;
      append_quoted(out, text);
      return true;
    }
    default:
      out += simdjson::minify(value);
      return true;
  }
}

}  // namespace throughline::codec
