#include "common/io/net/http.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace throughline::io {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view http_request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (is_same_name(key, name)) return value;
  }
  return {};
}

std::optional<std::string_view> http_request::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

http_response http_response::json(int status, std::string body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = std::make_shared<const std::string>(std::move(body))};
}

http_response http_response::failure(int status, std::string_view code, std::string_view message) {
  std::string body = R"({"error":{"code":")";
  append_escaped(body, code);
  body += R"(","message":")";
  append_escaped(body, message);
  body += R"("}})";
  return json(status, std::move(body));
}

}  // namespace throughline::io
