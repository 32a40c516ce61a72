// Every kind of row, written and loaded again on a real PostgreSQL.

#include <algorithm>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "common/delta/patch.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

struct database_of_one {
  empty_database database;
  std::unique_ptr<io::database_connection> connection = database.open();
  store through{*connection};

  void write(const changes& c) {
    write_set set;
    set.add(c);
    const auto now = through.begin(database.epoch());
    const auto locked = through.lock({sample_session});
    through.write(set, locked, now);
    (void)through.commit();
  }
  tree_rows load() {
    through.begin(database.epoch());
    auto locked = through.lock({sample_session});
    auto rows = std::move(through.load({sample_session}).at(sample_session));
    rows.heads = locked.trees.at(sample_session);
    (void)through.commit();
    return rows;
  }
  std::optional<turn_row> finished() {
    through.begin(database.epoch());
    auto turn = through.finished_turn(sample_session, sample_turn);
    through.abandon();
    return turn;
  }
  std::uint64_t epoch() const { return database.epoch(); }
};

changes turn_begun(std::uint64_t epoch, turn_row t) {
  changes c;
  c.heads = {head_of(sample_session, 2, true)};
  c.turns = {t};
  c.events = {turn_event(t, {epoch, 2})};
  return c;
}

}  // namespace

TEST_CASE("sessions, heads and threads come back as written") {
  database_of_one db;
  auto c = new_session(db.epoch());
  auto& s = c.sessions[0];
  s.agent_name_wanted = "zed";
  s.metadata = R"({"a":[1,"}"]})";
  s.status = agent_status::ready;
  s.agent_name = "zed-agent";
  s.zed_thread = thread_id("T");
  s.waiting_interaction = sample_turn;
  s.last_request = request_id("r");
  s.request_started_at = at_us(77);
  s.next_ordinal = 12;
  c.heads[0].acl_version = 4;
  c.heads[0].last_event_at = at_us(5);
  c.heads[0].open = true;
  c.threads = {{sample_session, thread_id("T"), sample_session, false, ""},
               {sample_session, thread_id("U"), session_id(), true, "a title"}};
  db.write(c);

  const auto rows = db.load();
  REQUIRE(rows.sessions.size() == 1);
  const auto& r = rows.sessions[0];
  CHECK(r.id == sample_session);
  CHECK(r.root == sample_session);
  CHECK_FALSE(r.parent);
  CHECK(r.owner == s.owner);
  CHECK(r.name == s.name);
  CHECK(r.agent_name_wanted == "zed");
  CHECK(r.metadata == s.metadata);
  CHECK(r.created == s.created);
  CHECK(r.updated == s.updated);
  CHECK(r.status == agent_status::ready);
  CHECK(r.agent_name == "zed-agent");
  CHECK(r.agent_since == s.agent_since);
  CHECK(r.zed_thread == s.zed_thread);
  CHECK(r.waiting_interaction == sample_turn);
  CHECK(r.last_request == s.last_request);
  CHECK(r.request_started_at == at_us(77));
  CHECK(r.next_ordinal == 12);
  CHECK_FALSE(r.deleted);

  REQUIRE(rows.heads.size() == 1);
  CHECK(rows.heads[0].epoch == db.epoch());
  CHECK(rows.heads[0].seq == 1);
  CHECK(rows.heads[0].version == 1);
  CHECK(rows.heads[0].acl_version == 4);
  CHECK(rows.heads[0].last_event_at == at_us(5));
  CHECK(rows.heads[0].open);

  REQUIRE(rows.threads.size() == 2);
  const auto& announced = rows.threads[0].thread == thread_id("U") ? rows.threads[0] : rows.threads[1];
  CHECK(announced.session.empty());
  CHECK(announced.retired);
  CHECK(announced.title == "a title");
}

TEST_CASE("an open turn is its fold, the patches after it, and its silent entries") {
  database_of_one db;
  db.write(new_session(db.epoch()));
  auto t = open_turn();
  t.origin = turn_origin::editor;
  t.thread = thread_id("T");
  t.prompt_message_id = message_id("pm");
  t.silent = {{1, {message_id("quiet"), entry_type::tool_call, "", "read", "running"}}};
  t.taken_over = request_id("int_other");
  t.command = command_id("cmd_1");
  t.named = t.interrupt = t.load_retried = t.in_doubt = true;
  t.lost_since = at_us(1);
  t.doubt_since = at_us(2);
  t.last_frame_at = at_us(3);
  t.cancel_deadline = at_us(4);
  t.cancel_ids = {"alice\nc1\nf"};
  db.write(turn_begun(db.epoch(), t));

  const std::vector<entry> none;
  const std::vector<entry> first{text_entry("m1", "Hello 😀")};
  const std::vector<entry> second{text_entry("m1", "Hello 😀 world"), text_entry("m2", "tail")};
  changes fold;
  fold.heads = {head_of(sample_session, 3, true)};
  fold.events = {patch_event({db.epoch(), 3}, delta::diff(none, first))};
  fold.folds = {{sample_session, sample_turn, 3, std::make_shared<const std::vector<entry>>(first)}};
  db.write(fold);
  changes patch;
  patch.heads = {head_of(sample_session, 4, true)};
  const auto last = delta::diff(first, second);
  patch.events = {patch_event({db.epoch(), 4}, last)};
  db.write(patch);

  const auto rows = db.load();
  REQUIRE(rows.turns.size() == 1);
  const auto& r = rows.turns[0];
  CHECK(r.record.entries == second);
  CHECK(r.unfolded_weight == weight_of(last));
  CHECK(r.folded_seq == 3);
  CHECK(r.record.ordinal == 1);
  CHECK(r.record.created == at_us(10));
  CHECK(r.record.updated == at_us(11));
  CHECK_FALSE(r.record.completed);
  CHECK(r.record.state == turn_state::waiting);
  CHECK(r.record.prompt_message == t.record.prompt_message);
  CHECK(r.record.prompt == t.record.prompt);
  CHECK(r.origin == turn_origin::editor);
  CHECK(r.thread == t.thread);
  CHECK(r.prompt_message_id == t.prompt_message_id);
  REQUIRE(r.silent.size() == 1);
  CHECK(r.silent[0].value == t.silent[0].value);
  CHECK(r.taken_over == t.taken_over);
  CHECK(r.command == t.command);
  CHECK((r.named && r.interrupt && r.load_retried && r.in_doubt));
  CHECK_FALSE(r.end_owed);
  CHECK(r.lost_since == at_us(1));
  CHECK(r.doubt_since == at_us(2));
  CHECK(r.last_frame_at == at_us(3));
  CHECK(r.cancel_deadline == at_us(4));
  CHECK(r.cancel_ids == t.cancel_ids);
}

TEST_CASE("a turn row written without its event keeps the prompt and the stored text") {
  database_of_one db;
  db.write(new_session(db.epoch()));
  auto t = open_turn();
  db.write(turn_begun(db.epoch(), t));
  changes flag;
  flag.heads = {head_of(sample_session, 2, true)};
  t.named = true;
  flag.turns = {t};
  db.write(flag);
  const auto rows = db.load();
  REQUIRE(rows.turns.size() == 1);
  CHECK(rows.turns[0].named);
  CHECK(rows.turns[0].record.prompt_message == t.record.prompt_message);
}

TEST_CASE("a finished turn is loaded by its digests, and in full when asked for") {
  database_of_one db;
  db.write(new_session(db.epoch()));
  auto t = open_turn();
  db.write(turn_begun(db.epoch(), t));
  t.record.state = turn_state::error;
  t.record.completed = at_us(50);
  t.record.error = "it broke";
  t.record.error_code = "agent_lost";
  t.record.entries = {text_entry("m1", "text"), {message_id("m2"), entry_type::tool_call, "out", "read", "done"}};
  t.record.usage = token_usage{.total_tokens = 5, .cached_read_tokens = 0};
  t.digests = {{message_id("m1"), 4, 99}};
  t.end_owed = t.truncated = true;
  changes c;
  c.heads = {head_of(sample_session, 3)};
  c.turns = {t};
  c.events = {turn_event(t, {db.epoch(), 3})};
  db.write(c);

  const auto rows = db.load();
  REQUIRE(rows.turns.size() == 1);
  CHECK(rows.turns[0].record.entries.empty());
  REQUIRE(rows.turns[0].digests.size() == 1);
  CHECK(rows.turns[0].digests[0].hash == 99);
  CHECK((rows.turns[0].end_owed && rows.turns[0].truncated));

  const auto full = db.finished();
  REQUIRE(full);
  CHECK(full->record.entries == t.record.entries);
  CHECK(full->record.usage == t.record.usage);
  CHECK(full->record.state == turn_state::error);
  CHECK(full->record.completed == at_us(50));
  CHECK(full->record.error == "it broke");
  CHECK(full->record.error_code == "agent_lost");
}

TEST_CASE("the queue comes back by place, and what is gone is gone") {
  database_of_one db;
  auto c = new_session(db.epoch());
  const auto queued = [](const char* id, std::uint64_t place, bool interrupt) {
    prompt_row p;
    p.session = sample_session;
    p.prompt = {prompt_id(std::string("p-") + id), interaction_id(id), "content", interrupt, at_us(9)};
    p.place = place;
    return p;
  };
  c.prompts = {queued("int_a", 5, false), queued("int_b", 3, true), queued("int_c", 9, false)};
  db.write(c);
  changes less;
  less.heads = {head_of(sample_session, 1)};
  less.prompts_gone = {{sample_session, interaction_id("int_c")}};
  db.write(less);
  const auto rows = db.load();
  REQUIRE(rows.prompts.size() == 2);
  CHECK(rows.prompts[0].prompt.interaction == interaction_id("int_b"));
  CHECK(rows.prompts[0].prompt.interrupt);
  CHECK(rows.prompts[0].prompt.id == prompt_id("p-int_b"));
  CHECK(rows.prompts[0].prompt.created == at_us(9));
  CHECK(rows.prompts[1].place == 5);
}

namespace {

attachment_row sample_attachment() {
  attachment_row a;
  a.id = attachment_id("att_1");
  a.root = sample_session;
  a.number = 3;
  a.bridge = bridge_id("brg_1");
  a.instance = "life";
  a.state = attachment_state::superseded;
  a.gate_open = true;
  a.gate_deadline = at_us(1);
  a.open_thread_request = request_id("req_1");
  a.suspect = suspect_mark{7, 9, {"own_1", "own_2"}};
  a.ready_at = at_us(2);
  a.applied = 17;
  a.last_number = 20;
  a.attached_at = at_us(3);
  a.superseded_at = at_us(4);
  a.token_hash = "hash";
  a.agent_seq = 41;
  a.restarted = true;
  return a;
}

}  // namespace

TEST_CASE("attachments and commands come back as written") {
  database_of_one db;
  auto c = new_session(db.epoch());
  const auto a = sample_attachment();
  auto gone = a;
  gone.id = attachment_id("att_0");
  gone.number = 2;
  command_row cmd{command_id("cmd_1"), sample_session, a.id, command_kind::open_thread, sample_turn,
                  request_id("req_1"), thread_id("T"), true, command_state::written,    true};
  auto spare = cmd;
  spare.id = command_id("cmd_2");
  c.attachments = {gone, a};
  c.commands = {cmd, spare};
  db.write(c);
  changes less;
  less.heads = {head_of(sample_session, 1)};
  less.attachments_gone = {gone.id};
  less.commands_gone = {spare.id};
  db.write(less);

  const auto rows = db.load();
  REQUIRE(rows.attachments.size() == 1);
  const auto& r = rows.attachments[0];
  CHECK(r.id == a.id);
  CHECK(r.number == 3);
  CHECK(r.bridge == a.bridge);
  CHECK(r.instance == a.instance);
  CHECK(r.state == attachment_state::superseded);
  CHECK(r.gate_open);
  CHECK(r.gate_deadline == at_us(1));
  CHECK(r.open_thread_request == a.open_thread_request);
  REQUIRE(r.suspect.has_value());
  CHECK(r.suspect->number == 7);
  CHECK(r.suspect->through == 9);
  CHECK(r.suspect->tried_by == std::vector<std::string>{"own_1", "own_2"});
  CHECK(r.agent_seq == 41);
  CHECK(r.restarted);
  CHECK(r.ready_at == at_us(2));
  CHECK(r.applied == 17);
  CHECK(r.last_number == 20);
  CHECK(r.attached_at == at_us(3));
  CHECK(r.superseded_at == at_us(4));
  CHECK(r.token_hash == "hash");
  REQUIRE(rows.commands.size() == 1);
  const auto& k = rows.commands[0];
  CHECK(k.id == cmd.id);
  CHECK(k.session == sample_session);
  CHECK(k.attachment == a.id);
  CHECK(k.kind == command_kind::open_thread);
  CHECK(k.interaction == sample_turn);
  CHECK(k.request == cmd.request);
  CHECK(k.thread == cmd.thread);
  CHECK(k.interrupt);
  CHECK(k.state == command_state::written);
}

TEST_CASE("grants, tokens and answers come back as written") {
  database_of_one db;
  auto c = new_session(db.epoch());
  c.grants = {{sample_session, {user_id("bob"), role::editor}}, {sample_session, {user_id("eve"), role::viewer}}};
  c.tokens = {{"h1", sample_session, at_us(1), at_us(2)}};
  c.answers = {{sample_session.text(), "id1", "fp", 202, "{\"a\":1}", true, at_us(3)}};
  db.write(c);
  changes next;
  next.heads = {head_of(sample_session, 1)};
  next.grants_gone = {{sample_session, user_id("eve")}};
  next.tokens_gone = {sample_session};
  next.tokens = {{"h2", sample_session, at_us(4), std::nullopt}};
  db.write(next);

  const auto rows = db.load();
  REQUIRE(rows.grants.size() == 1);
  CHECK(rows.grants[0].value.user == user_id("bob"));
  CHECK(rows.grants[0].value.what == role::editor);
  REQUIRE(rows.tokens.size() == 1);
  CHECK(rows.tokens[0].hash == "h2");
  CHECK_FALSE(rows.tokens[0].expires);

  db.through.begin(db.epoch());
  const auto prior = db.through.prior_answers({{sample_session.text(), "id1"}, {sample_session.text(), "other"}});
  db.through.abandon();
  REQUIRE(prior.size() == 1);
  const auto& a = prior.begin()->second;
  CHECK(a.fingerprint == "fp");
  CHECK(a.status == 202);
  CHECK(a.body == "{\"a\":1}");
  CHECK(a.secret);
  CHECK(a.created == at_us(3));
}

TEST_CASE("before each statement it is told how much longer it may take for its size") {
  const empty_database database;
  const auto connection = database.open();
  std::vector<std::chrono::milliseconds> told;
  store through(*connection, [&](auto longer) { told.push_back(longer); });
  auto c = new_session(database.epoch());
  c.sessions[0].metadata = '"' + std::string(3u << 20, 'x') + '"';
  write_set set;
  set.add(c);
  const auto now = through.begin(database.epoch());
  const auto locked = through.lock({sample_session});
  CHECK(std::ranges::max(told) < std::chrono::milliseconds(10));
  through.write(set, locked, now);
  CHECK(std::ranges::max(told) >= std::chrono::milliseconds(3 << 10));
  const auto before = told.size();
  (void)through.commit();
  CHECK(told.size() == before + 1);
  CHECK(told.back() == std::chrono::milliseconds(0));
}
