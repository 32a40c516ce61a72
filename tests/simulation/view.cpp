#include "tests/simulation/view.hpp"

#include <simdjson.h>

#include "tests/simulation/violation.hpp"

namespace throughline::simulation {
namespace {

using simdjson::dom::element;

std::u16string wide(std::string_view utf8) {
  std::u16string out;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = size == 1 ? lead : lead & (0xffu >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) point = (point << 6) | (static_cast<unsigned char>(utf8[i + k]) & 0x3fu);
    i += size;
    if (point < 0x10000) {
      out += static_cast<char16_t>(point);
    } else {
      out += static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10));
      out += static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return out;
}

std::string text_of(const element& e, const char* name) {
  std::string_view out;
  return e[name].get(out) == simdjson::SUCCESS ? std::string(out) : std::string();
}

std::uint64_t number_of(const element& e, const char* name) {
  std::uint64_t out = 0;
  must(e[name].get(out) == simdjson::SUCCESS, "frame", std::string("no number ") + name);
  return out;
}

shown_entry entry_of(const element& e) {
  return {text_of(e, "type"), text_of(e, "message_id"), text_of(e, "tool_name"), text_of(e, "tool_status"),
          wide(text_of(e, "content"))};
}

shown_turn turn_of(const element& i) {
  shown_turn t;
  t.ordinal = number_of(i, "ordinal");
  t.state = text_of(i, "state");
  t.error_code = text_of(i, "error_code");
  t.prompt = text_of(i, "prompt_message");
  simdjson::dom::array entries;
  must(i["response_entries"].get(entries) == simdjson::SUCCESS, "frame", "an interaction without entries");
  for (const auto one : entries) t.entries.push_back(entry_of(one));
  return t;
}

std::string summary_of(const element& s) {
  std::string out = text_of(s, "name");
  if (element agent; s["agent"].get(agent) == simdjson::SUCCESS) {
    out += "|" + text_of(agent, "status") + "|" + text_of(agent, "name");
  }
  if (element config; s["config"].get(config) == simdjson::SUCCESS) {
    out += "|" + text_of(config, "zed_thread_id") + "|" + text_of(config, "waiting_interaction_id");
  }
  simdjson::dom::array queue;
  if (s["queue"].get(queue) != simdjson::SUCCESS) return out;
  for (const auto one : queue) out += "|" + text_of(one, "interaction_id") + "=" + text_of(one, "content");
  return out;
}

void patch_one(std::vector<shown_entry>& entries, const element& p, std::uint64_t count) {
  const auto index = number_of(p, "index");
  must(index < count, "frame", "a patch beyond entry_count");
  if (entries.size() <= index) entries.resize(index + 1);
  auto& e = entries[index];
  const auto keep = number_of(p, "patch_offset");
  must(keep <= e.content.size(), "patch_base", "a patch keeps more than there is");
  e.content.resize(keep);
  e.content += wide(text_of(p, "patch"));
  must(e.content.size() == number_of(p, "total_length"), "patch_base", "a patch does not lead to its total_length");
  e.id = text_of(p, "message_id");
  e.type = text_of(p, "type");
  e.tool_name = text_of(p, "tool_name");
  e.tool_status = text_of(p, "tool_status");
}

std::string narrow(const std::u16string& text) {
  std::string out;
  for (const auto unit : text) {
    out += static_cast<char>(unit & 0xff);
    if (unit > 0xff) out += static_cast<char>(unit >> 8);
  }
  return out;
}

bool is_final(const std::string& state) {
  return !state.empty() && state != "waiting";
}

}  // namespace

void view::apply(std::string_view frame) {
  static thread_local simdjson::dom::parser parser;
  element root;
  must(parser.parse(frame.data(), frame.size()).get(root) == simdjson::SUCCESS, "frame", "no JSON");
  const auto type = text_of(root, "type");
  const position at{number_of(root, "epoch"), number_of(root, "seq")};
  const auto id = text_of(root, "interaction_id");
  if (type == "session_update") {
    const element session = root["session"].value();
    session_ = summary_of(session);
    simdjson::dom::array all;
    if (session["interactions"].get(all) == simdjson::SUCCESS) {
      turns_.clear();
      has_state_ = true;
      std::string newest;
      for (const auto one : all) {
        newest = text_of(one, "id");
        turns_[newest] = turn_of(one);
      }
      // A stock page takes the text of a running turn from patches only.
      if (kind_ == page::stock && !newest.empty() && !is_final(turns_[newest].state)) turns_[newest].entries.clear();
    }
  } else if (type == "interaction_update") {
    auto now = turn_of(root["interaction"].value());
    auto& before = turns_[id];
    must(!is_final(before.state) || before.state == now.state, "one_terminal_state",
         id + " was " + before.state + " and is " + now.state);
    before = std::move(now);
  } else if (type == "interaction_patch") {
    const auto found = turns_.find(id);
    must(found != turns_.end() && !is_final(found->second.state), "frame", "a patch outside its turn");
    const auto count = number_of(root, "entry_count");
    simdjson::dom::array patches;
    must(root["entry_patches"].get(patches) == simdjson::SUCCESS, "frame", "no entry_patches");
    for (const auto one : patches) patch_one(found->second.entries, one, count);
    found->second.entries.resize(count);
  } else {
    throw violation("frame", "unknown type " + type);
  }
  at_ = at;
}

std::string view::text() const {
  std::string out = session_;
  for (const auto& [id, t] : turns_) {
    out += "\n" + id + " " + std::to_string(t.ordinal) + " " + t.state + " " + t.error_code + " " + t.prompt;
    for (const auto& e : t.entries) {
      out += "\n  " + e.type + " " + e.id + " " + e.tool_name + " " + e.tool_status + " " + narrow(e.content);
    }
  }
  return out;
}

std::uint64_t view::digest() const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace throughline::simulation
