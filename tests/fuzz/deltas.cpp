// Text deltas and entry patches: from any list of texts to any other, and back to the same.

#include <cstdint>

#include "common/base/utf.hpp"
#include "common/delta/patch.hpp"
#include "common/delta/text.hpp"
#include "tests/fuzz/require.hpp"

using namespace throughline;

namespace {

/// Texts between zero bytes; each that is not UTF-8 is left out.
std::vector<entry> entries_of(std::string_view bytes) {
  std::vector<entry> out;
  while (!bytes.empty()) {
    const auto end = std::min(bytes.find('\0'), bytes.size());
    const auto text = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (!is_utf8(text)) continue;
    entry e;
    e.id = message_id(std::to_string(text.size() % 3));
    e.type = text.size() % 2 == 0 ? entry_type::text : entry_type::tool_call;
    e.content = text;
    out.push_back(std::move(e));
  }
  return out;
}

void check_text(const std::string& before, const std::string& now) {
  const auto hash = delta::hash_of(before);
  const auto d = delta::delta_between(before, hash, now);
  fuzz::require(is_utf8(d.text));
  fuzz::require(delta::apply(before, hash, d) == now);
  fuzz::require(delta::hash_after(before.size(), hash, d, now) == delta::hash_of(now));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto middle = std::min(bytes.find('\xff'), bytes.size());
  const auto before = entries_of(bytes.substr(0, middle));
  const auto after = entries_of(bytes.substr(std::min(middle + 1, bytes.size())));
  auto shown = before;
  delta::apply(shown, delta::diff(before, after));
  fuzz::require(shown == after);
  if (!before.empty() && !after.empty()) check_text(before[0].content, after[0].content);
  return 0;
}
