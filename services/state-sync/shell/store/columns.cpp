#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0;;) {
    const auto special = text.find_first_of("\"\\", at);
    out.append(text.substr(at, special - at));
    if (special == std::string_view::npos) break;
    out += '\\';
    out += text[special];
    at = special + 1;
  }
  out += '"';
}

}  // namespace

row_batch& row_batch::add(std::string_view text) {
  auto& array = arrays_[column_];
  if (rows_ > 0) array += ',';
  append_quoted(array, text);
  next();
  return *this;
}

row_batch& row_batch::raw(std::string_view literal) {
  auto& array = arrays_[column_];
  if (rows_ > 0) array += ',';
  array += literal;
  next();
  return *this;
}

void row_batch::next() {
  if (++column_ < arrays_.size()) return;
  column_ = 0;
  ++rows_;
}

std::vector<std::string> row_batch::take() {
  if (column_ != 0) throw std::logic_error("a row of a batch is not complete");
  for (auto& array : arrays_) array += '}';
  return std::move(arrays_);
}

std::string text_array(const std::vector<std::string>& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    append_quoted(out, value);
  }
  return out += '}';
}

std::optional<std::string> row_reader::maybe_text() {
  const auto f = field();
  if (f.is_null()) return std::nullopt;
  return f.c_str();
}

std::optional<std::uint64_t> row_reader::maybe_number() {
  const auto f = field();
  if (f.is_null()) return std::nullopt;
  return f.as<std::uint64_t>();
}

std::optional<instant> row_reader::maybe_time() {
  const auto f = field();
  if (f.is_null()) return std::nullopt;
  return instant(micros(f.as<std::int64_t>()));
}

}  // namespace throughline::state_sync
