#include <concepts>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/codec/agent_shapes.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/wire_read.hpp"
#include "common/codec/wire_write.hpp"

namespace throughline::codec {
namespace wire {

/// A list of heads as an alternative with a name.
struct heads {
  std::vector<head_reading> list;
};
THROUGHLINE_SHAPE(heads, THROUGHLINE_FIELD(list));

}  // namespace wire

namespace {

struct wire_reading_message {
  std::uint64_t epoch = 0;
  std::variant<deferred, session_reading, wire::heads, activity_reading, list_reading, owner_reading> what;
};

template <class T>
concept has_raw_body = requires(const T& t) {
  { t.body } -> std::same_as<const std::string&>;
};

/// The raw bytes that travel behind the envelope, per kind of reply; two parts at most.
struct tail {
  std::string_view body;
  std::string_view rest;
};
template <class T>
tail tail_of(const T& reply) {
  if constexpr (requires { reply.baseline; }) {
    return {reply.body, reply.baseline};
  } else if constexpr (has_raw_body<T>) {
    return {reply.body, {}};
  } else {
    return {};
  }
}

/// {"epoch", "op", fields...,"body_bytes","rest_bytes"} '\n' body rest
template <class T>
std::string write_message(const T& what, std::uint64_t epoch) {
  const auto parts = tail_of(what);
  std::string out;
  out.reserve(256 + parts.body.size() + parts.rest.size());
  json_writer w(out);
  w.begin_object();
  w.number("epoch", epoch);
  w.text("op", wire::shape<T>::name);
  wire::write_fields(w, what);
  if (!parts.body.empty() || !parts.rest.empty()) {
    w.number("body_bytes", parts.body.size());
    w.number("rest_bytes", parts.rest.size());
  }
  w.end_object();
  if (!parts.body.empty() || !parts.rest.empty()) {
    out += '\n';
    out += parts.body;
    out += parts.rest;
  }
  return out;
}

/// Cuts the bytes behind the envelope as it says.
bool read_tail(simdjson::dom::element root, std::string_view bytes, tail& out) {
  std::uint64_t body = 0;
  std::uint64_t rest = 0;
  if (root.at_key("body_bytes").get(body) != simdjson::SUCCESS) return bytes.empty();
  if (root.at_key("rest_bytes").get(rest) != simdjson::SUCCESS) return false;
  if (body > bytes.size() || rest != bytes.size() - body) return false;
  out = {bytes.substr(0, body), bytes.substr(body)};
  return true;
}

template <class T>
void put_tail(T& reply, const tail& parts) {
  if constexpr (has_raw_body<T>) reply.body = parts.body;
  if constexpr (requires { reply.baseline; }) reply.baseline = parts.rest;
}

template <class Message>
result<Message> read_message(std::string_view message) {
  const auto end = message.find('\n');
  const json_document document(message.substr(0, end));
  if (!document.ok()) return fail("bad_message", "not JSON: " + document.why());
  Message out;
  if (document.root().at_key("epoch").get(out.epoch) != simdjson::SUCCESS) {
    return fail("bad_message", "epoch is missing");
  }
  wire::reader r;
  r.read_op(document.root(), "the message", out.what);
  if (!r.ok()) return r.failure();
  tail parts;
  const auto bytes = end == std::string_view::npos ? std::string_view{} : message.substr(end + 1);
  if (!read_tail(document.root(), bytes, parts)) return fail("bad_message", "the body is not as long as announced");
  std::visit([&](auto& one) { put_tail(one, parts); }, out.what);
  return out;
}

}  // namespace

std::string encode(const reply& what, std::uint64_t epoch) {
  return std::visit([&](const auto& one) { return write_message(one, epoch); }, what);
}

result<reply_message> decode_reply(std::string_view message) {
  return read_message<reply_message>(message);
}

std::string encode(const reading& what, std::uint64_t epoch) {
  const auto write = [&]<class T>(const T& one) {
    if constexpr (std::same_as<T, std::vector<head_reading>>) {
      return write_message(wire::heads{one}, epoch);
    } else {
      return write_message(one, epoch);
    }
  };
  return std::visit(write, what);
}

result<reading_message> decode_reading(std::string_view message) {
  auto read = read_message<wire_reading_message>(message);
  if (!read) return std::unexpected(std::move(read.error()));
  reading_message out{.epoch = read->epoch};
  const auto take = [&]<class T>(T& one) {
    if constexpr (std::same_as<T, wire::heads>) {
      out.what = std::move(one.list);
    } else {
      out.what = std::move(one);
    }
  };
  std::visit(take, read->what);
  return out;
}

std::string encode(const bridge_order& order, std::uint64_t epoch) {
  return std::visit([&](const auto& one) { return write_message(one, epoch); }, order);
}

result<order_message> decode_order(std::string_view message) {
  auto out = read_message<order_message>(message);
  if (!out) return out;
  const bool named = std::visit([](const auto& one) { return !one.attachment.empty(); }, out->what);
  if (!named) return fail("bad_message", "attachment is empty");
  return out;
}

std::string encode(order_outcome outcome) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  w.text("outcome", enum_name(outcome));
  w.end_object();
  return out;
}

result<order_outcome> decode_outcome(std::string_view message) {
  const json_document document(message);
  if (!document.ok()) return fail("bad_message", "not JSON: " + document.why());
  std::string_view name;
  const bool there = document.root().at_key("outcome").get(name) == simdjson::SUCCESS;
  const auto outcome = there ? enum_named<order_outcome>(name) : std::nullopt;
  if (!outcome) return fail("bad_message", "outcome is missing or none of its names");
  return *outcome;
}

}  // namespace throughline::codec
