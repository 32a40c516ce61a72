#include "common/codec/event_headers.hpp"

#include <array>
#include <charconv>

namespace throughline::codec {
namespace {

constexpr std::array<std::string_view, 5> kind_names = {"session_update", "interaction_update", "interaction_patch",
                                                        "access_changed", "deleted"};

std::optional<message_kind> kind_named(std::string_view name) {
  for (std::size_t i = 0; i < kind_names.size(); ++i) {
    if (kind_names[i] == name) return static_cast<message_kind>(i);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_of(std::optional<std::string_view> text) {
  std::uint64_t n = 0;
  if (!text || text->empty()) return std::nullopt;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), n);
  if (fault != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return n;
}

std::unexpected<error> bad(const char* name) {
  return fail("bad_message", std::string("header ") + name + " is missing or malformed");
}

}  // namespace

event_headers headers_of(const event& e) {
  event_headers h{.kind = static_cast<message_kind>(e.body.index()), .at = e.at, .interaction = e.interaction};
  if (const auto* i = std::get_if<std::shared_ptr<const interaction>>(&e.body)) {
    h.terminal = *i != nullptr && is_terminal((*i)->state);
  }
  return h;
}

header_list write_headers(const event_headers& h) {
  header_list out;
  out.emplace_back(header_epoch, std::to_string(h.at.epoch));
  if (is_event(h.kind)) out.emplace_back(header_seq, std::to_string(h.at.seq));
  out.emplace_back(header_kind, kind_names[static_cast<std::size_t>(h.kind)]);
  if (!h.interaction.empty()) out.emplace_back(header_interaction, h.interaction.text());
  if (h.terminal) out.emplace_back(header_terminal, "1");
  return out;
}

result<event_headers> read_headers(const header_lookup& lookup) {
  event_headers h;
  const auto kind_text = lookup(header_kind);
  const auto kind = kind_text ? kind_named(*kind_text) : std::nullopt;
  if (!kind) return bad(header_kind);
  h.kind = *kind;
  const auto epoch = number_of(lookup(header_epoch));
  if (!epoch || *epoch == 0) return bad(header_epoch);
  h.at.epoch = *epoch;
  if (is_event(h.kind)) {
    const auto seq = number_of(lookup(header_seq));
    if (!seq || *seq == 0) return bad(header_seq);
    h.at.seq = *seq;
  }
  if (const auto i = lookup(header_interaction)) {
    if (i->size() > outside_id_bytes_max) return bad(header_interaction);
    h.interaction = interaction_id(std::string(*i));
  }
  if (const auto t = lookup(header_terminal)) {
    if (*t != "1" || h.kind != message_kind::interaction_update) return bad(header_terminal);
    h.terminal = true;
  }
  return h;
}

}  // namespace throughline::codec
