#pragma once
// Internal to the codec: reading JSON that may be anything. Only .cpp files of this folder include it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "common/base/result.hpp"

namespace throughline::codec {

inline constexpr std::size_t json_depth_max = 64;

/// One parsed document in this thread's parser. At most one may be alive per thread; memory of a large one is given
/// back at the end.
class json_document {
 public:
  explicit json_document(std::string_view text);
  ~json_document();
  json_document(const json_document&) = delete;
  json_document& operator=(const json_document&) = delete;

  bool ok() const { return fault_ == simdjson::SUCCESS; }
  std::string why() const { return simdjson::error_message(fault_); }
  simdjson::dom::element root() const { return root_; }

 private:
  simdjson::dom::element root_;
  simdjson::error_code fault_ = simdjson::SUCCESS;
};

/// Reads the fields of one JSON object and remembers the first fault, so that a decoder reads straight down and asks
/// once. A field that is null counts as absent. Text is copied; with `sanitised` what no database or browser may get
/// is stripped.
class field_reader {
 public:
  /// `code` is the error code of every fault; `where` names the object in messages ("data", or empty for the top).
  field_reader(simdjson::dom::element object, const char* code, std::string where = {});

  bool ok() const { return !fault_; }
  std::unexpected<error> failure() const { return std::unexpected(*fault_); }
  void blame(std::string_view name, std::string_view why);
  void blame_as(std::string code, std::string_view name, std::string_view why);

  bool has(const char* name) const;
  std::optional<simdjson::dom::element> get(const char* name) const;

  /// Required; may be empty.
  std::string text(const char* name);
  /// Absent: empty.
  std::string text_or_empty(const char* name);
  /// Longer text is cut on a code point.
  std::string text_up_to(const char* name, std::size_t bytes_max);
  std::optional<std::string> optional_text_up_to(const char* name, std::size_t bytes_max);
  /// Not empty, at most `bytes_max` bytes.
  std::string id(const char* name, std::size_t bytes_max);
  /// Absent or empty: empty.
  std::string id_or_empty(const char* name, std::size_t bytes_max);

  std::uint64_t number(const char* name);
  bool flag_or(const char* name, bool fallback);
  std::optional<simdjson::dom::array> array(const char* name);

 private:
  std::optional<std::string> read_text(const char* name, bool required);

  simdjson::dom::object object_;
  bool is_object_ = false;
  const char* code_;
  std::string where_;
  std::optional<error> fault_;
};

/// Valid UTF-8 (an escape can smuggle in half a surrogate pair), stripped of what P-A9.1 names. False: not text.
bool take_text(simdjson::dom::element e, std::string& out);

}  // namespace throughline::codec
