#include "tests/simulation/world.hpp"

#include <cstdio>

#include "tests/simulation/bridge.hpp"
#include "tests/simulation/follower.hpp"
#include "tests/simulation/gateway.hpp"
#include "tests/simulation/people.hpp"
#include "tests/simulation/replica.hpp"
#include "tests/simulation/stock_agent.hpp"
#include "tests/simulation/viewer.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

namespace {

constexpr instant beginning{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr millis stale_after{20'000};
constexpr millis ready_timeout{10'000};
constexpr micros story_length{40'000'000};
/// The longest bound of section 7 with these settings: a lost turn is given up after 2 x stale_after + 5 s; before
/// that its agent may have waited 30 s to come again, and unasked output ends 60 s after its last frame.
constexpr micros quiet_length{130'000'000};
constexpr std::uint64_t events_max = 2'000'000;
constexpr std::size_t viewers_max = 24;
constexpr std::size_t followers_max = 12;

}  // namespace

world::world(settings as)
    : how(as), by(as.seed), bad(weather_of(as.seed, by)), nats(loop, by, bad, stormy, as.planted), check(*this) {
  bounds.stale_after = stale_after;
  bounds.ready_timeout = ready_timeout;
}

world::~world() = default;

instant world::database_now() const {
  return beginning + loop.now() + database_clock;
}

std::string world::fresh(const char* prefix) {
  const auto ms = std::chrono::duration_cast<millis>(database_now().time_since_epoch()).count();
  return make_id(prefix, static_cast<std::uint64_t>(ms), by.ids());
}

void world::trace(const std::string& what) const {
  if (how.trace) std::printf("%10.3f  %s\n", static_cast<double>(loop.now().count()) / 1e6, what.c_str());
}

void world::start_replica(std::size_t number) {
  replicas[number] = std::make_shared<replica>(*this, number);
  replicas[number]->start();
}

void world::replica_died(std::size_t number) {
  loop.after(by.between(micros(200'000), micros(5'000'000)), life_, [this, number] { start_replica(number); });
}

/// The session, its token, and the processes.
void world::begin() {
  const session_id root{"ses_" + make_id("", 1'700'000'000'000, by.ids())};
  db.root_is(root);
  state_sync::tree tree(state_sync::tree_rows{});
  row_store rows;
  std::vector<stored_event> events;
  const auto apply = [&](session_request request) {
    const auto d = tree.apply(state_sync::asked{std::move(request), 0, std::nullopt},
                              {database_now(), millis(1'000'000), db.epoch(), &by.ids(), bounds});
    rows.commit(d.writes);
    for (const auto& e : d.writes.events) events.push_back(render(e));
  };
  const user_id alice{"alice"};
  apply(create_session{{alice, "c", "c"}, root, "a session", "zed-agent", "{}"});
  apply(mint_agent_token{{alice, "t", "t"}, root, "t", std::nullopt});
  apply(put_grant{{alice, "g", "g"}, root, user_id{"bob"}, role::viewer});
  db.commit(std::move(rows), events);
  replicas.resize(bad.replicas);
  for (std::size_t i = 0; i < bad.replicas; ++i) start_replica(i);
  the_bridge = std::make_shared<bridge>(*this);
  for (std::size_t i = 0; i < bad.gateways; ++i) {
    gateways.push_back(std::make_shared<gateway>(*this));
    gateways.back()->start();
  }
  the_agent = std::make_unique<stock_agent>(*this);
  the_agent->start();
  the_people = std::make_unique<people>(*this);
  add_viewer("alice", page::stock);
  add_viewer("alice", page::extended);
  add_viewer("bob", by.one_in(2) ? page::extended : page::stock);
  if (by.one_in(2)) add_viewer("alice", page::extended);
}

void world::add_viewer(const char* user, page kind) {
  viewers.push_back(std::make_unique<viewer>(*this, user_id{user}, kind));
  viewers.back()->start();
}

std::shared_ptr<gateway> world::any_gateway() {
  std::vector<std::shared_ptr<gateway>> alive;
  for (const auto& g : gateways) {
    if (g->alive()) alive.push_back(g);
  }
  return alive.empty() ? nullptr : alive[by.below(alive.size())];
}

void world::follow(const user_id& user, const session_id& session, const interaction_id& id) {
  if (followers.size() >= followers_max) return;
  followers.push_back(std::make_unique<follower>(*this, user, session, id));
  followers.back()->start();
}

/// Pages are opened at every step of a turn.
void world::something_committed() {
  if (!stormy && !bad.clean()) return;
  if (viewers.size() >= viewers_max || !by.one_in(bad.joins)) return;
  loop.after(by.between(micros(0), micros(5'000)), life_, [this] {
    add_viewer(by.one_in(4) ? "bob" : "alice", by.one_in(3) ? page::stock : page::extended);
    viewers.back()->stay_for(by.between(micros(100'000), micros(20'000'000)));
  });
}

void world::viewers_act() {
  auto& one = *viewers[by.below(viewers.size())];
  switch (by.below(8)) {
    case 0:
      return one.close();
    case 1:
      return one.resync();
    case 2:
      one.forget_position();
      return one.close();
    case 3:
      if (!followers.empty()) followers[by.below(followers.size())]->leave();
      return;
    case 4: {
      const auto& all = db.rows().sessions();
      const auto& session = std::next(all.begin(), static_cast<std::ptrdiff_t>(by.below(all.size())))->first;
      const auto turns = db.rows().turns(session);
      if (turns.empty()) return;
      return follow(user_id{by.one_in(4) ? "bob" : "alice"}, session, turns[by.below(turns.size())].record.id);
    }
    default:
      return;
  }
}

/// One thing that happens in the story: somebody acts, or something breaks.
void world::accident() {
  if (by.one_in(2)) the_people->act();
  if (by.one_in(8)) the_agent->type();
  if (by.one_in(3)) viewers_act();
  break_something();
  if (by.one_in(6)) db.back_up();
}

void world::break_something() {
  if (happens(bad.socket_break)) the_agent->break_socket();
  if (happens(bad.agent_restart)) the_agent->restart();
  break_replica();
  if (happens(bad.bridge_crash)) {
    the_bridge->die();
    loop.after(by.between(micros(100'000), micros(4'000'000)), life_, [this] {
      if (!the_bridge->alive()) the_bridge = std::make_shared<bridge>(*this);
    });
  }
  const auto which = by.below(gateways.size());
  if (happens(bad.gateway_crash) && gateways[which]->alive()) {
    gateways[which]->die();
    loop.after(by.between(micros(100'000), micros(3'000'000)), life_, [this, which] {
      gateways[which] = std::make_shared<gateway>(*this);
      gateways[which]->start();
    });
  }
  if (happens(bad.clock_jump)) database_clock += by.between(micros(-4'000'000), micros(6'000'000));
  if (happens(bad.failover)) {
    trace("failover");
    if (db.fail_over(loop.now())) check.failed_over();
  }
}

/// Any of them, whether it holds the shard or not.
void world::break_replica() {
  const auto one = replicas[by.below(replicas.size())];
  if (!one->alive()) return;
  if (happens(bad.hand_on)) return one->hand_on();
  if (happens(bad.replica_crash)) return one->die();
  if (one->stands_still()) return;
  if (happens(bad.pause)) return one->pause(by.between(micros(1'000'000), micros(18'000'000)));
  if (happens(bad.nats_cut)) return one->cut_from_nats(by.between(micros(300'000), micros(8'000'000)));
  if (happens(bad.database_cut)) return one->cut_from_database(by.between(micros(300'000), micros(10'000'000)));
}

void world::plan_accidents() {
  loop.after(by.between(micros(50'000), micros(2'500'000)), life_, [this] {
    if (!stormy) return;
    accident();
    plan_accidents();
  });
}

void world::quiet() {
  trace("quiet");
  stormy = false;
  while (loop.step(story_length + micros(15'000'000))) {
  }
  the_agent->finish_all();
  while (loop.step(story_length + quiet_length / 4)) {
  }
  the_agent->finish_all();
  std::uint64_t more = 0;
  while (loop.step(story_length + quiet_length)) {
    must(++more < events_max, "time_goes_on", "a loop that does not end");
    if (more % 64 == 0) the_agent->finish_all();
  }
}

void world::run() try {
  begin();
  plan_accidents();
  std::uint64_t done = 0;
  while (loop.step(story_length)) must(++done < events_max, "time_goes_on", "a loop that does not end");
  quiet();
  check.at_rest();
} catch (const state_sync::broken_invariant& broken) {
  throw violation("broken_invariant", broken.what);
} catch (const tests::refused_write& refused) {
  throw violation("schema", refused.what());
}

}  // namespace throughline::simulation
