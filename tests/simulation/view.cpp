#include "tests/simulation/view.hpp"

#include <simdjson.h>

#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

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

namespace {

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

struct view::frame {
  element root;
  std::string type, id;
  position at;
};

const shown_turn* view::turn(const std::string& id) const {
  const auto found = turns_.find(id);
  return found == turns_.end() ? nullptr : &found->second.shown;
}

view::kept_turn& view::changed(const std::string& id) {
  auto& t = turns_[id];
  t.digest = 0;
  return t;
}

frame_kind view::apply(std::string_view text) {
  static thread_local simdjson::dom::parser parser;
  frame f;
  must(parser.parse(text.data(), text.size()).get(f.root) == simdjson::SUCCESS, "frame", "no JSON");
  f.type = text_of(f.root, "type");
  f.at = {number_of(f.root, "epoch"), number_of(f.root, "seq")};
  if (f.type == "heartbeat" || f.type == "replay_complete") {
    said_ = f.at;
    return f.type == "heartbeat" ? frame_kind::heartbeat : frame_kind::replay_complete;
  }
  f.id = text_of(f.root, "interaction_id");
  const bool had_to_be_baseline = std::exchange(awaits_baseline_, false);
  auto kind = had_to_be_baseline ? frame_kind::baseline : frame_kind::event;
  must(!had_to_be_baseline || (f.type == "interaction_patch" && f.at == at_), "wire_version",
       "a full state with a running turn is not followed by its baseline");
  if (f.type == "session_update") {
    if (!f.root["session"]["interactions"].is_null()) kind = frame_kind::full;
    take_session(f);
  } else if (f.type == "interaction_update") {
    take_turn(f);
  } else if (f.type == "interaction_patch") {
    take_patch(f);
  } else {
    throw violation("frame", "unknown type " + f.type);
  }
  at_ = f.at;
  return kind;
}

void view::take_session(const frame& f) {
  const element session = f.root["session"].value();
  session_ = summary_of(session);
  simdjson::dom::array all;
  if (session["interactions"].get(all) != simdjson::SUCCESS) return;
  turns_.clear();
  has_state_ = true;
  std::string newest;
  for (const auto one : all) {
    newest = text_of(one, "id");
    turns_[newest].shown = turn_of(one);
  }
  if (kind_ != page::stock || newest.empty()) return;
  // A stock page takes the text of a running turn from patches only.
  auto& last = turns_[newest].shown;
  if (is_final(last.state)) return;
  awaits_baseline_ = !last.entries.empty();
  last.entries.clear();
}

void view::take_turn(const frame& f) {
  auto now = turn_of(f.root["interaction"].value());
  auto& before = changed(f.id).shown;
  must(!is_final(before.state) || before.state == now.state, "one_terminal_state",
       f.id + " was " + before.state + " and is " + now.state);
  before = std::move(now);
}

void view::take_patch(const frame& f) {
  const auto found = turns_.find(f.id);
  must(found != turns_.end(), "frame", "a patch outside its turn");
  must(!is_final(found->second.shown.state), "terminal_in_full", "a patch of a turn that has ended");
  const auto count = number_of(f.root, "entry_count");
  simdjson::dom::array patches;
  must(f.root["entry_patches"].get(patches) == simdjson::SUCCESS, "frame", "no entry_patches");
  auto& entries = changed(f.id).shown.entries;
  for (const auto one : patches) patch_one(entries, one, count);
  entries.resize(count);
}

namespace {

std::string line_of(const std::string& id, const shown_turn& t) {
  std::string out = "\n" + id + " " + std::to_string(t.ordinal) + " " + t.state + " " + t.error_code + " " + t.prompt;
  for (const auto& e : t.entries) {
    out += "\n  " + e.type + " " + e.id + " " + e.tool_name + " " + e.tool_status + " " + narrow(e.content);
  }
  return out;
}

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash | 1;
}

}  // namespace

std::string view::text() const {
  std::string out = session_;
  for (const auto& [id, t] : turns_) out += line_of(id, t.shown);
  return out;
}

/// A turn that did not change since costs nothing.
std::uint64_t view::digest() const {
  auto hash = hash_of(session_);
  for (const auto& [id, t] : turns_) {
    if (t.digest == 0) t.digest = hash_of(line_of(id, t.shown));
    hash = (hash ^ t.digest) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace throughline::simulation
