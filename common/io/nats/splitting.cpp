#include "common/io/nats/splitting.hpp"

#include <algorithm>
#include <charconv>

namespace throughline::io {
namespace {

// Room for the three headers of a part: names, the longest values, and line ends.
constexpr std::size_t part_headers_max = 160;
// What a part costs a joiner beyond its bytes, so that empty parts are bounded too.
constexpr std::size_t part_cost = 128;
constexpr std::size_t header_line_cost = 4;    // ": " and CR LF
constexpr std::size_t header_block_cost = 12;  // "NATS/1.0" CR LF ... CR LF

std::optional<std::uint32_t> number(std::string_view digits) {
  std::uint32_t n = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (fault != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return n;
}

struct place {
  std::string id;
  std::uint32_t index = 0;
  std::uint32_t count = 0;
};

/// Reads the split headers and takes them away. Empty when they make no sense.
std::optional<place> take_place(message& part) {
  const auto index = number(part.header(split_index_header));
  const auto count = number(part.header(split_count_header));
  place p{std::string(part.header(split_id_header)), index.value_or(0), count.value_or(0)};
  std::erase_if(part.headers, [](const auto& header) {
    return header.first == split_id_header || header.first == split_index_header || header.first == split_count_header;
  });
  if (!index || !count || p.id.empty() || p.count == 0 || p.count > joiner::parts_max || p.index >= p.count) {
    return std::nullopt;
  }
  return p;
}

}  // namespace

std::size_t split_limit(std::size_t max_payload) {
  constexpr std::size_t most = 900u << 10;
  constexpr std::size_t margin = 4u << 10;
  return std::min(most, max_payload > 2 * margin ? max_payload - margin : max_payload / 2);
}

std::size_t wire_size(const message_headers& headers, std::string_view body) {
  std::size_t bytes = body.size() + (headers.empty() ? 0 : header_block_cost);
  for (const auto& [name, value] : headers) bytes += name.size() + value.size() + header_line_cost;
  return bytes;
}

std::vector<message_part> split(const message_headers& headers, std::string_view body, std::size_t limit,
                                const std::string& id) {
  const auto taken = wire_size(headers, {}) + part_headers_max;
  if (taken > limit / 2) return {};
  const auto room = limit - taken;
  const auto count = std::max<std::size_t>(1, (body.size() + room - 1) / room);
  if (count > joiner::parts_max) return {};
  std::vector<message_part> parts;
  parts.reserve(count);
  for (std::size_t index = 0; index < count; ++index) {
    message_part part;
    if (index == 0) part.headers = headers;
    part.headers.emplace_back(split_id_header, id);
    part.headers.emplace_back(split_index_header, std::to_string(index));
    part.headers.emplace_back(split_count_header, std::to_string(count));
    part.body = body.substr(index * room, room);
    parts.push_back(std::move(part));
  }
  return parts;
}

bool joiner::is_part(const message& m) {
  return !m.header(split_id_header).empty();
}

std::optional<message> joiner::add(std::uint64_t receiver, message part, clock::time_point now) {
  expire(now);
  auto where = take_place(part);
  if (!where) {
    ++dropped_;
    return std::nullopt;
  }
  key name{receiver, std::move(where->id)};
  auto found = by_key_.find(name);
  if (found == by_key_.end()) {
    set fresh{name, now, {}, {}, where->count, where->count * part_cost};
    fresh.bodies.resize(where->count);
    bytes_ += fresh.bytes;
    sets_.push_back(std::move(fresh));
    found = by_key_.emplace(std::move(name), std::prev(sets_.end())).first;
  }
  const auto at = found->second;
  if (at->bodies.size() != where->count) {
    drop(at);
    return std::nullopt;
  }
  if (at->bodies[where->index]) return std::nullopt;  // a repeat

  at->bytes += part.body.size();
  bytes_ += part.body.size();
  at->bodies[where->index] = std::move(part.body);
  if (where->index == 0) {
    part.body.clear();
    at->whole = std::move(part);
  }
  if (--at->missing == 0) {
    auto whole = assemble(*at);
    erase(at);
    return whole;
  }
  while (bytes_ > bytes_max_) drop(sets_.begin());
  return std::nullopt;
}

void joiner::expire(clock::time_point now) {
  while (!sets_.empty() && now - sets_.front().first_at > join_age_max) drop(sets_.begin());
}

void joiner::forget(std::uint64_t receiver) {
  for (auto at = sets_.begin(); at != sets_.end();) {
    const auto next = std::next(at);
    if (at->name.first == receiver) erase(at);
    at = next;
  }
}

void joiner::drop(set_list::iterator which) {
  ++dropped_;
  erase(which);
}

void joiner::erase(set_list::iterator which) {
  bytes_ -= which->bytes;
  by_key_.erase(which->name);
  sets_.erase(which);
}

message joiner::assemble(set& of) {
  message whole = std::move(of.whole);
  std::size_t bytes = 0;
  for (const auto& body : of.bodies) bytes += body ? body->size() : 0;
  whole.body.reserve(bytes);
  for (auto& body : of.bodies) {
    if (body) whole.body += *body;
    body.reset();
  }
  return whole;
}

}  // namespace throughline::io
