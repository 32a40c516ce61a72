#pragma once
// Internal to the codec: a JSON writer onto a std::string (why our own: README.md). It puts commas and escapes; that
// objects and lists close in order is up to the caller. Only .cpp files of this folder include it.

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace throughline::codec {

/// `text` (valid UTF-8) in quotes, escaped as JSON requires and no further.
void append_quoted(std::string& out, std::string_view text);
/// The same without the quotes: a string may be put together from pieces.
void append_escaped(std::string& out, std::string_view text);

class json_writer {
 public:
  explicit json_writer(std::string& out) : out_(out) {}
  json_writer(const json_writer&) = delete;
  json_writer& operator=(const json_writer&) = delete;

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }

  /// `name` needs no escaping.
  void key(std::string_view name) {
    if (comma_) out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
    comma_ = false;
  }
  void text(std::string_view value) {
    before_value();
    append_quoted(out_, value);
  }
  /// A string from pieces: what is appended to `out()` with append_escaped until `end_text`.
  void begin_text() {
    before_value();
    out_ += '"';
  }
  void end_text() { out_ += '"'; }
  void number(std::integral auto value) {
    before_value();
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out_.append(digits, end);
  }
  void flag(bool value) { raw(value ? "true" : "false"); }
  void null() { raw("null"); }
  /// A value that is JSON already.
  void raw(std::string_view json) {
    before_value();
    out_ += json;
  }

  void text(std::string_view name, std::string_view value) {
    key(name);
    text(value);
  }
  void number(std::string_view name, std::integral auto value) {
    key(name);
    number(value);
  }
  void flag(std::string_view name, bool value) {
    key(name);
    flag(value);
  }
  void null(std::string_view name) {
    key(name);
    null();
  }
  void raw(std::string_view name, std::string_view json) {
    key(name);
    raw(json);
  }

  std::string& out() { return out_; }

 private:
  void before_value() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  void begin(char bracket) {
    before_value();
    out_ += bracket;
    comma_ = false;
  }
  void end(char bracket) {
    out_ += bracket;
    comma_ = true;
  }

  std::string& out_;
  bool comma_ = false;  ///< something stands before the next key or value of this object or list
};

}  // namespace throughline::codec
