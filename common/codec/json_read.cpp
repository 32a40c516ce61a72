#include "common/codec/json_read.hpp"

#include <memory>
#include <utility>

#include "common/base/utf.hpp"

namespace throughline::codec {
namespace {

constexpr std::size_t kept_capacity_max = std::size_t{1} << 20;
constexpr std::size_t first_capacity = 4096;

std::unique_ptr<simdjson::dom::parser>& this_threads_parser() {
  thread_local std::unique_ptr<simdjson::dom::parser> parser;
  return parser;
}

}  // namespace

json_document::json_document(std::string_view text) {
  auto& parser = this_threads_parser();
  if (!parser) {
    parser = std::make_unique<simdjson::dom::parser>();
    fault_ = parser->allocate(first_capacity, json_depth_max);
    if (fault_ != simdjson::SUCCESS) return;
  }
  fault_ = parser->parse(text.data(), text.size()).get(root_);
}

json_document::~json_document() {
  auto& parser = this_threads_parser();
  if (parser && parser->capacity() > kept_capacity_max) parser.reset();
}

bool take_text(simdjson::dom::element e, std::string& out) {
  std::string_view text;
  if (e.get_string().get(text) != simdjson::SUCCESS) return false;
  if (!simdjson::validate_utf8(text.data(), text.size())) return false;
  out.assign(text);
  sanitise(out);
  return true;
}

field_reader::field_reader(simdjson::dom::element object, const char* code, std::string where)
    : code_(code), where_(std::move(where)) {
  is_object_ = object.get_object().get(object_) == simdjson::SUCCESS;
  if (!is_object_) fault_ = error{code_, (where_.empty() ? "the message" : where_) + " is not an object"};
}

void field_reader::blame(std::string_view name, std::string_view why) {
  blame_as(code_, name, why);
}

void field_reader::blame_as(std::string code, std::string_view name, std::string_view why) {
  if (fault_) return;
  std::string message = where_.empty() ? std::string{} : where_ + ".";
  message.append(name).append(" ").append(why);
  fault_ = error{std::move(code), std::move(message)};
}

std::optional<simdjson::dom::element> field_reader::get(const char* name) const {
  simdjson::dom::element e;
  if (!is_object_ || object_.at_key(name).get(e) != simdjson::SUCCESS || e.is_null()) return std::nullopt;
  return e;
}

bool field_reader::has(const char* name) const {
  return get(name).has_value();
}

std::optional<std::string> field_reader::read_text(const char* name, bool required) {
  const auto e = get(name);
  if (!e) {
    if (required) blame(name, "is missing");
    return std::nullopt;
  }
  std::string out;
  if (!take_text(*e, out)) {
    blame(name, "is not a string");
    return std::nullopt;
  }
  return out;
}

std::string field_reader::text(const char* name) {
  return read_text(name, true).value_or("");
}

std::string field_reader::text_or_empty(const char* name) {
  return read_text(name, false).value_or("");
}

std::string field_reader::text_up_to(const char* name, std::size_t bytes_max) {
  return optional_text_up_to(name, bytes_max).value_or("");
}

std::optional<std::string> field_reader::optional_text_up_to(const char* name, std::size_t bytes_max) {
  auto out = read_text(name, false);
  if (out) out->resize(code_point_floor(*out, bytes_max));
  return out;
}

std::string field_reader::id(const char* name, std::size_t bytes_max) {
  auto out = read_text(name, true).value_or("");
  if (out.empty()) blame(name, "is empty");
  if (out.size() > bytes_max) blame(name, "is longer than " + std::to_string(bytes_max) + " bytes");
  return out;
}

std::string field_reader::id_or_empty(const char* name, std::size_t bytes_max) {
  auto out = read_text(name, false).value_or("");
  if (out.size() > bytes_max) blame(name, "is longer than " + std::to_string(bytes_max) + " bytes");
  return out;
}

std::uint64_t field_reader::number(const char* name) {
  const auto e = get(name);
  std::uint64_t out = 0;
  if (!e) {
    blame(name, "is missing");
  } else if (e->get_uint64().get(out) != simdjson::SUCCESS) {
    blame(name, "is not a whole number");
  }
  return out;
}

bool field_reader::flag_or(const char* name, bool fallback) {
  const auto e = get(name);
  bool out = fallback;
  if (e && e->get_bool().get(out) != simdjson::SUCCESS) blame(name, "is not true or false");
  return out;
}

std::optional<simdjson::dom::array> field_reader::array(const char* name) {
  const auto e = get(name);
  simdjson::dom::array out;
  if (!e) {
    blame(name, "is missing");
    return std::nullopt;
  }
  if (e->get_array().get(out) != simdjson::SUCCESS) {
    blame(name, "is not a list");
    return std::nullopt;
  }
  return out;
}

}  // namespace throughline::codec
