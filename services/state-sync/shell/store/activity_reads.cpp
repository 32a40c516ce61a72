// How long a session's tree has been quiet (design 5.3.1): what a waiter's patience is judged by.

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "services/state-sync/shell/store/read_transaction.hpp"

namespace throughline::state_sync {
namespace {

/// Of the newest session_updates of a session; those that changed nothing but the agent's status are no progress.
/// When all of so many did not, what lies behind them is taken for long ago.
constexpr std::uint64_t updates_max = 32;

struct shown {
  std::string what;
  std::uint64_t seq = 0;
  millis age{0};
};

/// Of updates, newest first, the newest one above `above` that shows something new. Above `above` there is nothing but
/// updates, so the one before is the next in the list, if it is there at all.
std::optional<millis> newest_change(const std::vector<shown>& updates, std::uint64_t above) {
  for (std::size_t i = 0; i < updates.size() && updates[i].seq > above; ++i) {
    const auto seq = updates[i].seq;
    if (seq == 1) return updates[i].age;
    const bool has_former = i + 1 < updates.size() && (seq == above + 1 || updates[i + 1].seq + 1 == seq);
    if (has_former && updates[i].what != updates[i + 1].what) return updates[i].age;
  }
  return std::nullopt;
}

void consider(std::optional<millis>& youngest, std::optional<millis> age) {
  if (age && (!youngest || *age < *youngest)) youngest = age;
}

millis age_in(row_reader& row) {
  return millis(static_cast<std::int64_t>(row.number()));
}

}  // namespace

// A body is compared without its positions and its agent. One position is the body's end; the other, and the agent,
// stand between the session's owner and its `config`: a quote within a string is escaped, so the texts looked for stand
// nowhere else before there.
void prepare_activity_reads(pqxx::connection& sql) {
  const std::string age =
      "greatest(0, ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - e.created_us) / 1000)";
  sql.prepare("activity_tree",
              "SELECT m.id, r.status <> 'offline', e.seq, " + age +
                  " FROM sessions s JOIN sessions r ON r.id = s.root JOIN sessions m ON m.root = s.root "
                  "LEFT JOIN LATERAL (SELECT seq, created_us FROM events WHERE session_id = m.id AND kind <> 0 "
                  "ORDER BY seq DESC LIMIT 1) e ON true WHERE s.id = $1 AND NOT s.deleted");
  sql.prepare("activity_updates",
              "SELECT k.id, e.seq, " + age +
                  ", left(b.session, strpos(b.session, ',\"epoch\":')) || "
                  "md5(regexp_replace(substr(b.session, strpos(b.session, '},\"config\":')), "
                  "',\"epoch\":[0-9]+,\"seq\":[0-9]+}$', '')) "
                  "FROM unnest($1::text[], $2::bigint[]) k(id, above) CROSS JOIN LATERAL ("
                  "(SELECT seq, created_us, body FROM events WHERE session_id = k.id AND kind = 0 AND seq > k.above "
                  "ORDER BY seq DESC LIMIT $3) UNION ALL "
                  "(SELECT seq, created_us, body FROM events WHERE session_id = k.id AND kind = 0 AND seq <= k.above "
                  "ORDER BY seq DESC LIMIT 1)) e CROSS JOIN LATERAL "
                  "(SELECT substr(e.body, strpos(e.body, '\"session\":{')) AS session) b ORDER BY k.id, e.seq DESC");
}

activity_reading read(const read_transaction& r, const read_activity& what) {
  activity_reading out;
  std::unordered_map<std::string, std::uint64_t> above;
  std::vector<std::string> ids;
  std::vector<std::string> seqs;
  for (const auto& row : r.tx.exec_prepared("activity_tree", what.session.text())) {
    row_reader reader(row);
    out.found = true;
    ids.push_back(reader.text());
    out.attached = reader.flag();
    const auto newest = reader.maybe_number();
    if (newest) consider(out.age, age_in(reader));
    above[ids.back()] = newest.value_or(0);
    seqs.push_back(std::to_string(newest.value_or(0)));
  }
  std::unordered_map<std::string, std::vector<shown>> updates;
  for (const auto& row : r.tx.exec_prepared("activity_updates", text_array(ids), text_array(seqs), updates_max)) {
    row_reader reader(row);
    auto& of = updates[reader.text()];
    auto& one = of.emplace_back();
    one.seq = reader.number();
    one.age = age_in(reader);
    one.what = reader.text();
  }
  for (const auto& [id, list] : updates) consider(out.age, newest_change(list, above[id]));
  return out;
}

}  // namespace throughline::state_sync
