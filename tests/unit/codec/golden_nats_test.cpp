// What goes over NATS beside requests and their answers: headers and notices of tl1.ev, answers to orders, the two
// broadcasts; and the subjects as proto/README.md lists them.

#include <map>
#include <set>

#include <doctest/doctest.h>

#include "common/codec/broadcasts.hpp"
#include "common/codec/event_headers.hpp"
#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "tests/unit/codec/golden.hpp"

using namespace throughline;
using namespace throughline::codec;
using namespace throughline::test;

namespace {

/// The error of a decoder, or that writing what it read gives another text.
template <class Read>
std::optional<error> changed(const result<Read>& read, const std::string& text, const auto& write) {
  if (!read) return read.error();
  const std::string again = write(*read);
  if (again != text) return error{"changed", again};
  return std::nullopt;
}

using headers_by_name = std::map<std::string, std::string>;

headers_by_name object_of_texts(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::object fields;
  REQUIRE(parser.parse(text).get(fields) == simdjson::SUCCESS);
  headers_by_name out;
  for (const auto& [name, value] : fields) out.emplace(name, value.get_string().value());
  return out;
}

std::optional<error> headers_fault(const std::string& text) {
  const auto given = object_of_texts(text);
  const auto read = read_headers([&](const char* name) -> std::optional<std::string_view> {
    const auto found = given.find(name);
    if (found == given.end()) return std::nullopt;
    return found->second;
  });
  if (!read) return read.error();
  const auto written = write_headers(*read);
  if (headers_by_name(written.begin(), written.end()) != given) return error{"changed", "other headers"};
  return std::nullopt;
}

std::optional<error> broadcast_fault(const std::string& line) {
  const auto body = field(line, "body");
  if (field(line, "subject") == epoch_subject) return changed(decode_epoch(body), body, encode_epoch);
  REQUIRE(field(line, "subject") == auth_subject);
  return changed(decode_revoked_key(body), body, [](const std::string& hash) { return hash; });
}

/// Subject -> the rest of its row, of the table in proto/README.md.
std::map<std::string, std::string> documented_subjects() {
  std::istringstream in(file("README.md"));
  std::map<std::string, std::string> out;
  const std::string mark = "| `tl1.";
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(mark)) continue;
    const auto end = line.find('`', mark.size());
    REQUIRE(end != std::string::npos);
    CHECK_MESSAGE(out.emplace(line.substr(3, end - 3), line.substr(end + 1)).second, line);
  }
  return out;
}

std::string with(std::string subject, const std::string& id, const std::string& placeholder) {
  const auto at = subject.rfind(id);
  REQUIRE(at != std::string::npos);
  return subject.replace(at, id.size(), placeholder);
}

/// The second words of all subjects that a text names.
std::set<std::string> families(const std::string& text) {
  std::set<std::string> out;
  for (auto at = text.find("tl1."); at != std::string::npos; at = text.find("tl1.", at + 1)) {
    const auto begin = at + 4;
    const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", begin);
    out.insert(text.substr(begin, end - begin));
  }
  return out;
}

}  // namespace

TEST_CASE("headers of events and notices") {
  const auto s = schema_of("event_headers");
  check_valid("event_headers.valid", s, headers_fault);
  check_invalid("event_headers.invalid", s, headers_fault);
}

TEST_CASE("the notice of a changed access") {
  const auto s = schema_of("access");
  check_valid("access.valid", s, [](const std::string& text) {
    return changed(parse_access(text), text, [](const access_notice& read) {
      std::string out;
      render_access(out, read.access, read.epoch);
      return out;
    });
  });
  check_invalid("access.invalid", s, outcome_of(parse_access));
}

TEST_CASE("answers to orders") {
  const auto s = schema_of("outcomes");
  check_valid("outcomes.valid", s, [](const std::string& text) {
    return changed(decode_outcome(text), text, [](order_outcome read) { return encode(read); });
  });
  check_invalid("outcomes.invalid", s, outcome_of(decode_outcome));
}

TEST_CASE("broadcasts") {
  const auto s = schema_of("broadcasts");
  check_valid("broadcasts.valid", s, broadcast_fault);
  for (const auto& line : lines("broadcasts.invalid")) {
    CAPTURE(line);
    const auto fault = broadcast_fault(line);
    REQUIRE(fault);
    CHECK(fault->code == field(line, "code"));
    CHECK(fault->message.find(field(line, "names")) != std::string::npos);
    const auto message = line.substr(0, line.find(",\"code\":")) + "}";
    REQUIRE(field(message, "body") == field(line, "body"));
    CHECK_FALSE(s.accepts(message));
  }
}

TEST_CASE("the table of subjects is what the code builds") {
  const auto table = documented_subjects();
  const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
  const bridge_id bridge("brg_01h2xcejqtf2nbrexx3vqjhp44");
  const std::set<std::string> built = {with(shard_subject(shard_number{7}), "7", "<shard>"),
                                       with(event_subject(ses), ses.text(), "<session id>"),
                                       with(bridge_subject(bridge), bridge.text(), "<bridge id>"),
                                       std::string(read_subject),
                                       std::string(keys_subject),
                                       std::string(auth_subject),
                                       std::string(epoch_subject)};
  std::set<std::string> listed;
  for (const auto& [subject, row] : table) listed.insert(subject);
  CHECK(listed == built);
  CHECK(table.at(std::string(read_subject)).find("queue group `" + std::string(read_group) + '`') != std::string::npos);
  CHECK(table.at(std::string(keys_subject)).find("queue group `" + std::string(keys_group) + '`') != std::string::npos);

  std::set<std::string> in_table;
  for (const auto& subject : listed) in_table.merge(families(subject));
  const auto declared = families(file("../common/codec/subjects.hpp"));
  CHECK_MESSAGE(declared == in_table, "a subject of subjects.hpp that this test does not know");
  CHECK(families(file("../common/codec/subjects.cpp")) == std::set<std::string>{"in", "ev", "bridge"});
}
