#include "services/state-sync/shell/store/packing.hpp"

#include <charconv>
#include <cstdint>

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::size_t silent_fields = 6;
constexpr std::size_t digest_fields = 3;

std::uint64_t number_of(std::string_view digits) {
  std::uint64_t n = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (fault != std::errc{} || end != digits.data() + digits.size()) throw bad_stored("a packed number is none");
  return n;
}

std::vector<std::string> unpack_records(std::string_view packed, std::size_t fields) {
  auto all = unpack(packed);
  if (all.size() % fields != 0) throw bad_stored("a packed record is not complete");
  return all;
}

}  // namespace

std::string pack(const std::vector<std::string>& fields) {
  std::string out;
  for (const auto& field : fields) {
    out += std::to_string(field.size());
    out += ':';
    out += field;
  }
  return out;
}

std::vector<std::string> unpack(std::string_view packed) {
  std::vector<std::string> fields;
  while (!packed.empty()) {
    const auto colon = packed.find(':');
    if (colon == std::string_view::npos) throw bad_stored("a packed length has no end");
    const auto length = number_of(packed.substr(0, colon));
    packed.remove_prefix(colon + 1);
    if (length > packed.size()) throw bad_stored("a packed field is cut off");
    fields.emplace_back(packed.substr(0, length));
    packed.remove_prefix(length);
  }
  return fields;
}

std::string pack_silent(const std::vector<silent_entry>& entries) {
  std::vector<std::string> fields;
  for (const auto& [place, value] : entries) {
    fields.insert(fields.end(), {std::to_string(place), value.id.text(), std::string(codec::name_of(value.type)),
                                 value.content, value.tool_name, value.tool_status});
  }
  return pack(fields);
}

std::vector<silent_entry> unpack_silent(std::string_view packed) {
  const auto fields = unpack_records(packed, silent_fields);
  std::vector<silent_entry> entries;
  for (std::size_t i = 0; i < fields.size(); i += silent_fields) {
    const auto type = codec::parse_entry_type(fields[i + 2]);
    if (!type) throw bad_stored("unknown entry type");
    entries.push_back(
        {number_of(fields[i]), {message_id(fields[i + 1]), *type, fields[i + 3], fields[i + 4], fields[i + 5]}});
  }
  return entries;
}

std::string pack_digests(const std::vector<entry_digest>& digests) {
  std::vector<std::string> fields;
  for (const auto& d : digests) {
    fields.insert(fields.end(), {d.id.text(), std::to_string(d.length), std::to_string(d.hash)});
  }
  return pack(fields);
}

std::vector<entry_digest> unpack_digests(std::string_view packed) {
  const auto fields = unpack_records(packed, digest_fields);
  std::vector<entry_digest> digests;
  for (std::size_t i = 0; i < fields.size(); i += digest_fields) {
    digests.push_back({message_id(fields[i]), number_of(fields[i + 1]), number_of(fields[i + 2])});
  }
  return digests;
}

}  // namespace throughline::state_sync
