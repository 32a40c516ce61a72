#include "tests/scenarios/names.hpp"

#include <algorithm>
#include <array>

namespace throughline::tests {
namespace {

constexpr std::size_t ulid_size = 26;
constexpr std::array<std::string_view, 4> prefixes{"ses_", "int_", "cmd_", "req_"};

bool is_ulid(std::string_view text) {
  return text.size() == ulid_size &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

}  // namespace

std::string names::shorten(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto prefix = text.substr(0, 4);
    const bool known = std::ranges::find(prefixes, prefix) != prefixes.end();
    if (!known || text.size() < 4 + ulid_size || !is_ulid(text.substr(4, ulid_size))) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string id(text.substr(0, 4 + ulid_size));
    auto& name = short_[id];
    if (name.empty()) {
      const std::string kind(prefix.substr(0, 3));
      name = kind + "-" + std::to_string(++counts_[kind]);
      long_[name] = id;
    }
    out += name;
    text.remove_prefix(id.size());
  }
  return out;
}

void names::name(const std::string& id, const std::string& as) {
  short_[id] = as;
  long_[as] = id;
}

std::string names::lengthen(const std::string& word) const {
  const auto found = long_.find(word);
  return found == long_.end() ? word : found->second;
}

}  // namespace throughline::tests
