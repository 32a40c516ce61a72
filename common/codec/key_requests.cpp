#include "common/codec/key_requests.hpp"

#include <algorithm>

#include "common/codec/digest.hpp"
#include "common/codec/wire_read.hpp"
#include "common/codec/wire_write.hpp"

namespace throughline::codec {

namespace wire {

THROUGHLINE_SHAPE(issue_key, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(key), THROUGHLINE_FIELD(name),
                  THROUGHLINE_FIELD(key_hash));
THROUGHLINE_SHAPE(revoke_key, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(key));

}  // namespace wire

namespace {

constexpr std::size_t hash_length = 64;

struct checker {
  wire::reader& r;

  void operator()(const auto& request) const {
    if (request.by.user.empty()) r.blame("user", "is empty");
    if (request.by.id.empty() || request.by.id.size() > idempotency_id_bytes_max) r.blame("id", "has a bad length");
    if (request.key.empty() || request.key.size() > outside_id_bytes_max) r.blame("key", "has a bad length");
    if constexpr (requires { request.key_hash; }) {
      if (request.key_hash.size() != hash_length) r.blame("key_hash", "is no hash");
    }
  }
};

}  // namespace

std::string encode(const key_request& request, millis budget) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  wire::write_op(w, request);
  w.number("budget_ms", static_cast<std::uint64_t>(std::max<std::int64_t>(0, budget.count())));
  w.end_object();
  return out;
}

result<key_message> decode_key_request(std::string_view message) {
  const json_document document(message);
  if (!document.ok()) return fail("bad_message", "not JSON: " + document.why());
  wire::reader r;
  key_message out;
  r.read_op(document.root(), "the message", out.what);
  r.read_budget(document.root(), out.budget);
  if (r.ok()) std::visit(checker{r}, out.what);
  if (!r.ok()) return r.failure();
  return out;
}

std::string fingerprint_of(const key_request& request) {
  auto bare = request;
  std::visit([](auto& one) { one.by = {}; }, bare);
  if (auto* issue = std::get_if<issue_key>(&bare)) {
    issue->key.clear();
    issue->key_hash.clear();
  }
  return sha256_hex(encode(bare, millis{0}));
}

}  // namespace throughline::codec
