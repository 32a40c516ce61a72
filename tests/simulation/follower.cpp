#include "tests/simulation/follower.hpp"

#include "tests/simulation/answer_stream.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

using kind = throughline::gateway::answer_chunk::kind;

namespace {

/// What 5.3.1 calls an append: it only adds to the newest entry, or opens one, and that is text.
bool only_appends(const shown_turn& before, const shown_turn& after) {
  const auto& a = before.entries;
  const auto& b = after.entries;
  if (b.empty() || b.back().type != "text") return false;
  const auto same = [](const shown_entry& x, const shown_entry& y) {
    return x.id == y.id && x.type == y.type && x.content == y.content && x.tool_status == y.tool_status;
  };
  if (a.size() + 1 == b.size()) return std::equal(a.begin(), a.end(), b.begin(), same);
  if (a.size() != b.size() || !std::equal(a.begin(), a.end() - 1, b.begin(), same)) return false;
  return b.back().content.size() > a.back().content.size() && b.back().content.starts_with(a.back().content);
}

}  // namespace

follower::follower(world& around, user_id user, session_id session, interaction_id id)
    : w_(around), user_(std::move(user)), session_(std::move(session)), id_(std::move(id)) {}

follower::~follower() = default;

void follower::start() {
  connect();
}

void follower::connect() {
  const auto at = w_.any_gateway();
  if (!at) return come_again();
  opening_ = true;
  asked_since_ = last_;
  stream_ = std::make_shared<answer_stream>(w_, at, *this, asked_since_);
  stream_->begin();
}

void follower::come_again() {
  if (stream_) stream_->client_left();
  stream_.reset();
  w_.loop.after(w_.by.between(micros(50'000), micros(2'000'000)), page_, [this] { connect(); });
}

void follower::leave() {
  if (stream_ && !done_) come_again();
}

void follower::stopped(const std::string& code) {
  if (code != "not_found") return come_again();
  const auto access = w_.db.head(session_).access;
  const bool known = w_.db.one_interaction(session_, id_).inner.has_value();
  const bool visible = right_of(access, user_) >= right::watch;
  must(!visible || !known || w_.stormy, "nothing_lost", "an answer that is there was not found: " + id_.text());
  // Rights that were just given back are seen by the next try.
  if (visible && known) return come_again();
  must(!visible || w_.db.has_lost_commits(), "nothing_lost", "nobody knows of " + id_.text());
  done_ = true;
  stream_->client_left();
}

/// Folds the log of this interaction up to there.
void follower::go_to(position at) {
  if (at.epoch != folded_.epoch || at.seq < folded_.seq) {
    fold_ = view();
    folded_ = {at.epoch, 0};
  }
  for (const auto* e : w_.db.between(session_, folded_.seq, at)) {
    if (e->headers.interaction == id_) fold_.apply(*e->body);
  }
  folded_ = at;
}

std::u16string follower::text_there() const {
  std::u16string out;
  const auto* turn = fold_.turn(id_.text());
  if (!turn) return out;
  for (const auto& e : turn->entries) {
    if (!out.empty()) out += u"\n\n";
    out += e.content;
  }
  return out;
}

void follower::take(const chunk& c) {
  w_.check.may_see(user_);
  must(!done_, "answer_chunks", "something after the end");
  must(w_.db.find(session_, c.at) != nullptr, "commit_before_publish",
       "a chunk of " + to_text(c.at) + ", which is not committed");
  if (c.what == kind::reset || c.what == kind::resumed) return opened(c);
  if (c.what == kind::part) return part(c);
  ended(c);
}

void follower::opened(const chunk& c) {
  const bool first = std::exchange(opening_, false);
  if (c.what == kind::resumed) {
    must(first && c.at == asked_since_, "answer_chunks", "goes on from " + to_text(c.at));
    return;
  }
  // A stream under way begins anew only where something went wrong.
  must(first || !w_.bad.clean(), "needless_reset", "a stream began anew");
  must(!asked_since_ || !first || !w_.bad.clean(), "needless_reset", "a stream that could be resumed began anew");
  go_to(c.at);
  must(c.content && wide(*c.content) == text_there(), "answer_chunks",
       "the opening chunk has another text than the log");
  last_ = c.at;
}

/// No event of this answer lies between the last chunk and this one.
void follower::must_follow(position at) const {
  for (const auto* e : w_.db.between(session_, last_->seq, {at.epoch, at.seq - 1})) {
    must(e->headers.interaction != id_, "gapless", to_text(at) + " came, and " + to_text(e->at) + " did not");
  }
}

void follower::part(const chunk& c) {
  must(!opening_ && last_, "state_first", "a chunk before the opening one");
  must(c.at.seq > last_->seq, "one_order", to_text(c.at) + " after " + to_text(*last_));
  const auto* stored = w_.db.find(session_, c.at);
  must(stored != nullptr && stored->headers.interaction == id_, "answer_chunks", "a chunk of no event of this answer");
  must_follow(c.at);
  const bool is_patch = stored->headers.kind == codec::message_kind::interaction_patch;
  must(!is_patch || stored->body->find(c.patch_list) != std::string::npos, "answer_chunks",
       "another patch list than that of " + to_text(c.at));
  go_to(*last_);
  const auto* shown = fold_.turn(id_.text());
  const auto before = shown ? *shown : shown_turn{};
  const auto text_before = text_there();
  go_to(c.at);
  const auto* now = fold_.turn(id_.text());
  must(now != nullptr, "answer_chunks", "a chunk of a turn that has not begun");
  const bool appends = is_patch && only_appends(before, *now);
  // After a failover the length of the text that a resumed stream goes on with may not be known any more.
  const bool may_be_silent = w_.db.has_lost_commits() && !c.content;
  must(c.content.has_value() == appends || may_be_silent, "answer_chunks",
       "delta.content where the event is no append, or none");
  if (c.content) must(text_before + wide(*c.content) == text_there(), "answer_chunks", "the text of " + to_text(c.at));
  last_ = c.at;
}

void follower::ended(const chunk& c) {
  must(!opening_ || asked_since_, "state_first", "an end before the opening chunk");
  must_follow(c.at);
  done_ = true;
  if (!w_.db.has_lost_commits()) {
    const auto turn = w_.db.one_interaction(session_, id_);
    must(turn.inner && turn.inner->ended.seq == c.at.seq, "answer_chunks", "the end is at " + to_text(c.at));
    const bool complete = turn.body.find(R"("state":"complete")") != std::string::npos;
    must(complete == (c.what == kind::finished), "answer_chunks", "another end than the stored one");
  }
  w_.loop.after(micros(0), page_, [this] { stream_->client_left(); });
}

}  // namespace throughline::simulation
