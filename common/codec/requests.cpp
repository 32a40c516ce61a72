#include "common/codec/requests.hpp"

#include <algorithm>

#include "common/base/ulid.hpp"
#include "common/codec/agent_shapes.hpp"
#include "common/codec/digest.hpp"
#include "common/codec/wire_read.hpp"
#include "common/codec/wire_write.hpp"

namespace throughline::codec {
namespace {

template <class Request>
std::string write_request(const Request& request, millis budget) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  wire::write_op(w, request);
  w.number("budget_ms", static_cast<std::uint64_t>(std::max<std::int64_t>(0, budget.count())));
  w.end_object();
  return out;
}

/// What the fields' types do not say.
struct checker {
  wire::reader& r;

  void id(const auto& value, const char* name) const {
    if (value.empty()) r.blame(name, "is empty");
  }
  void operator()(const auto& request) const {
    if constexpr (requires { request.session; }) {
      if (!is_session_id(request.session.text())) r.blame("session", "is no session id");
    }
    if constexpr (requires { request.by; }) {
      id(request.by.user, "user");
      if (request.by.id.empty() || request.by.id.size() > idempotency_id_bytes_max) r.blame("id", "has a bad length");
    }
    if constexpr (requires { request.attachment; }) id(request.attachment, "attachment");
    if constexpr (requires { request.instance; }) instance(request);
    if constexpr (requires { request.frames; }) frames(request);
    if constexpr (requires { request.attachments; }) attachments(request);
    if constexpr (requires { request.sessions; }) {
      for (const auto& s : request.sessions) {
        if (!is_session_id(s.text())) r.blame("sessions", "holds no session id");
      }
    }
  }
  void instance(const attach& request) const {
    if (!request.instance) return;
    if (request.instance->empty() || request.instance->size() > outside_id_bytes_max) {
      r.blame("instance", "has a bad length");
    }
  }
  void attachments(const renew& request) const {
    if (request.attachments.empty()) return r.blame("attachments", "is empty");
    for (const auto& one : request.attachments) {
      operator()(one);
      if (shard_of(one.session) != shard_of(request.attachments.front().session)) {
        r.blame("attachments", "are of several shards");
      }
    }
  }
  void frames(const hand_over& request) const {
    for (std::size_t i = 0; i < request.frames.size(); ++i) {
      const auto number = request.frames[i].number;
      if (number == 0 || number != request.frames.front().number + i) r.blame("frames", "are not consecutive");
    }
  }
};

/// All kinds come on one subject: the alternative that `op` names, among all of them.
void read_what(wire::reader& r, simdjson::dom::element root, request_message& out) {
  std::string_view op;
  if (root.at_key("op").get_string().get(op) != simdjson::SUCCESS) return r.blame("the message", "has no op");
  if (op == wire::shape<renew>::name) {
    renew batch;
    r.read_fields(root, wire::shape<renew>::name, batch);
    if (r.ok()) checker{r}(batch);
    out.what = std::move(batch);
    return;
  }
  const bool is_read = op.starts_with("read_") || op.starts_with("list_") || op.starts_with("find_");
  if (is_read) {
    read_request as_read;
    r.read_op(root, "the message", as_read);
    if (r.ok()) std::visit(checker{r}, as_read);
    out.what = std::move(as_read);
  } else {
    session_request as_request;
    r.read_op(root, "the message", as_request);
    if (r.ok()) std::visit(checker{r}, as_request);
    out.what = std::move(as_request);
  }
}

/// Blanks what does not belong to the operation itself.
struct bare {
  void operator()(auto& request) const {
    if constexpr (requires { request.by; }) request.by = {};
  }
  void operator()(create_session& request) const {
    request.by = {};
    request.session = {};
  }
  void operator()(mint_agent_token& request) const {
    request.by = {};
    request.token_hash.clear();
  }
};

}  // namespace

std::string encode(const session_request& request, millis budget) {
  if (const auto* one = std::get_if<renewal>(&request)) return encode(renew{{*one}}, budget);
  return write_request(request, budget);
}

std::string encode(const renew& request, millis budget) {
  return write_request(std::variant<renew>(request), budget);
}

std::string encode(const read_request& request, millis budget) {
  return write_request(request, budget);
}

result<request_message> decode_request(std::string_view message) {
  const json_document document(message);
  if (!document.ok()) return fail("bad_message", "not JSON: " + document.why());
  wire::reader r;
  request_message out;
  read_what(r, document.root(), out);
  r.read_budget(document.root(), out.budget);
  if (!r.ok()) return r.failure();
  return out;
}

std::string fingerprint_of(const session_request& request) {
  auto copy = request;
  std::visit(bare{}, copy);
  return sha256_hex(write_request(copy, millis{0}));
}

}  // namespace throughline::codec
