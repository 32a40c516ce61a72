// Reads of interactions: those of a terminal turn as they were rendered at its end, those of an open one rebuilt.

#include <algorithm>
#include <map>
#include <utility>

#include "common/codec/render.hpp"
#include "common/model/page_size.hpp"
#include "services/state-sync/shell/store/read_transaction.hpp"
#include "services/state-sync/shell/store/turn_columns.hpp"

namespace throughline::state_sync {
namespace {

/// Interactions looked at for a snapshot; as JSON each weighs some 250 bytes at least, so 1 MiB holds no more.
constexpr std::uint64_t recent_max = 4096;

struct found_interaction {
  std::string body;
  std::optional<interaction> open;
};
using by_ordinal = std::map<std::uint64_t, found_interaction>;

/// The interactions of a session with ordinals `from` to `to`.
by_ordinal find_range(const read_transaction& r, const session_id& id, std::uint64_t from, std::uint64_t to) {
  by_ordinal found;
  for (const auto& row : r.tx.exec_prepared("interactions_done", id.text(), from, to)) {
    row_reader reader(row);
    const auto ordinal = reader.number();
    found[ordinal].body = reader.text();
  }
  std::map<interaction_id, std::vector<std::string>> tails;
  for (const auto& row : r.tx.exec_prepared("interactions_tail", id.text(), from, to)) {
    row_reader reader(row);
    auto which = reader.id<interaction_id>();
    tails[std::move(which)].push_back(reader.text());
  }
  for (const auto& row : r.tx.exec_prepared("interactions_open", id.text(), from, to)) {
    row_reader reader(row);
    const auto fold = reader.maybe_text();
    auto turn = read_turn_row(reader);
    rebuild_entries(turn, fold, tails[turn.record.id]);
    auto& at = found[turn.record.ordinal];
    codec::render_interaction(at.body, turn.record);
    at.open = std::move(turn.record);
  }
  return found;
}

/// Of a prompt that is in the queue, or was and has been cancelled there.
std::optional<turn_place> place_in_queue(const read_transaction& r, const session_id& session,
                                         const interaction_id& id) {
  if (!r.tx.exec_prepared("interaction_queued", session.text(), id.text()).empty()) return turn_place{.queued = true};
  const auto shown = R"("interaction_id":")" + id.text() + '"';
  const auto gone = r.tx.exec_prepared("interaction_dropped", session.text(), shown);
  if (gone.empty()) return std::nullopt;
  row_reader at(gone[0]);
  turn_place out;
  out.ended.epoch = at.number();
  out.ended.seq = at.number();
  return out;
}

}  // namespace

void prepare_interaction_reads(pqxx::connection& sql) {
  const std::string range = " WHERE i.session_id = $1 AND i.ordinal BETWEEN $2 AND $3 AND i.body IS ";
  sql.prepare("interactions_done", "SELECT i.ordinal, i.body FROM interactions i" + range + "NOT NULL");
  sql.prepare("interactions_open",
              "SELECT i.entries, " THROUGHLINE_TURN_COLUMNS " FROM interactions i" + range + "NULL");
  sql.prepare("interactions_tail",
              "SELECT i.id, e.body FROM interactions i " THROUGHLINE_TAIL_JOIN + range + "NULL ORDER BY e.seq");
  const std::string weight =
      "coalesce(octet_length(body), octet_length(prompt_message) + 2 * coalesce(octet_length(entries), 0))";
  sql.prepare("interactions_sizes",
              "SELECT ordinal, " + weight + " FROM interactions WHERE session_id = $1 ORDER BY ordinal DESC LIMIT $2");
  // The first interaction_update after the one with which it began is the terminal one (design 5.4).
  sql.prepare("interaction_place",
              "SELECT i.ordinal, i.began_seq, coalesce(e.epoch, 0), coalesce(e.seq, 0) FROM interactions i "
              "LEFT JOIN LATERAL (SELECT epoch, seq FROM events WHERE session_id = i.session_id AND seq > i.began_seq "
              "AND kind = 1 AND interaction_id = i.id ORDER BY seq LIMIT 1) e ON i.body IS NOT NULL "
              "WHERE i.session_id = $1 AND i.id = $2");
  sql.prepare("interaction_queued", "SELECT 1 FROM prompts WHERE session_id = $1 AND interaction_id = $2");
  // The session_update after the last one that shows it in the queue.
  sql.prepare("interaction_dropped",
              "SELECT epoch, seq FROM events WHERE session_id = $1 AND kind = 0 AND seq > "
              "(SELECT max(seq) FROM events WHERE session_id = $1 AND kind = 0 AND strpos(body, $2) > 0) "
              "ORDER BY seq LIMIT 1");
  sql.prepare("interactions_count",
              "SELECT count(*), coalesce(max(ordinal), 0) FROM interactions WHERE session_id = $1");
  for (const std::string order : {"asc", "desc"}) {
    sql.prepare("interactions_page_" + order, "SELECT min(ordinal), max(ordinal), sum(weight) FROM (SELECT ordinal, " +
                                                  weight + " AS weight FROM interactions WHERE session_id = $1 " +
                                                  "ORDER BY ordinal " + order +
                                                  " LIMIT $2 OFFSET $3) p HAVING count(*) > 0");
  }
}

recent_interactions find_recent(const read_transaction& r, const session_id& id) {
  std::uint64_t newest = 0;
  std::uint64_t oldest = 0;
  std::uint64_t weight = 0;
  for (const auto& row : r.tx.exec_prepared("interactions_sizes", id.text(), recent_max)) {
    row_reader reader(row);
    const auto ordinal = reader.number();
    weight += reader.number();
    if (newest != 0 && weight > r.snapshot_budget) break;
    if (newest == 0) newest = ordinal;
    oldest = ordinal;
  }
  recent_interactions out;
  if (newest == 0) return out;
  auto found = find_range(r, id, oldest, newest);
  for (auto& [ordinal, i] : found) out.bodies.push_back(std::move(i.body));
  if (!found.empty()) out.running = std::move(found.rbegin()->second.open);
  return out;
}

session_reading read(const read_transaction& r, const read_interactions& what) {
  const auto s = find_session(r, what.session);
  if (!s) return {};
  session_reading out;
  out.found = true;
  out.head = s->head;
  out.access = read_access(r.tx, s->id);
  const auto per_page = std::clamp<std::uint64_t>(what.per_page, 1, interactions_per_page_max);
  const auto page = std::min(what.page, std::uint64_t{1} << 40);
  const auto total = r.tx.exec_prepared1("interactions_count", s->id.text())[0].as<std::uint64_t>();
  const auto bounds = r.tx.exec_prepared(what.newest_first ? "interactions_page_desc" : "interactions_page_asc",
                                         s->id.text(), per_page, page * per_page);
  std::vector<std::string> bodies;
  if (!bounds.empty()) {
    row_reader reader(bounds[0]);
    const auto from = reader.number();
    const auto to = reader.number();
    out.complete = from == to || reader.number() <= page_bytes_max;
    if (!out.complete) return out;
    for (auto& [ordinal, i] : find_range(r, s->id, from, to)) bodies.push_back(std::move(i.body));
  }
  if (what.newest_first) std::reverse(bodies.begin(), bodies.end());
  const auto views = views_of(bodies);
  codec::render_interaction_page(out.body, codec::rendered(views), {page, per_page, total});
  return out;
}

session_reading read(const read_transaction& r, const read_interaction& what) {
  const auto s = find_session(r, what.session);
  if (!s) return {};
  session_reading out;
  out.found = true;
  out.head = s->head;
  out.access = read_access(r.tx, s->id);
  const auto place = r.tx.exec_prepared("interaction_place", s->id.text(), what.interaction.text());
  out.inner_found = !place.empty();
  if (place.empty()) {
    out.inner = place_in_queue(r, s->id, what.interaction);
    return out;
  }
  row_reader at(place[0]);
  const auto ordinal = at.number();
  out.inner = turn_place{.began = at.number()};
  out.inner->ended.epoch = at.number();
  out.inner->ended.seq = at.number();
  auto found = find_range(r, s->id, ordinal, ordinal);
  if (found.empty()) throw torn_range{};
  out.body = std::move(found.begin()->second.body);
  return out;
}

}  // namespace throughline::state_sync
