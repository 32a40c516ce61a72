#include "tests/simulation/world.hpp"

#include <cstdio>

#include "tests/simulation/bridge.hpp"
#include "tests/simulation/gateway.hpp"
#include "tests/simulation/owner.hpp"
#include "tests/simulation/people.hpp"
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

}  // namespace

world::world(settings as)
    : how(as), by(as.seed), bad(weather_of(as.seed, by)), nats(loop, by, bad, stormy), check(*this) {
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

void world::ask_owner(const session_request& request, millis timeout, const life& of,
                      std::function<void(const owner_outcome&)> then) {
  struct question {
    bool settled = false;
    std::function<void(const owner_outcome&)> then;
    void settle(const owner_outcome& got) {
      if (!std::exchange(settled, true)) then(got);
    }
  };
  auto asked = std::make_shared<question>(question{false, std::move(then)});
  bool anybody = false;
  for (const auto& o : owners) {
    if (!o->listening()) continue;
    anybody = true;
    nats.send(o->alive(), [this, o = std::weak_ptr(o), request, asked, back = std::weak_ptr(of)] {
      const auto to = o.lock();
      if (!to) return;
      to->offer(request, [this, asked, back](const owner_answer& a) {
        if (const auto there = back.lock()) nats.send(there, [asked, a] { asked->settle(a); });
      });
    });
  }
  if (anybody) {
    loop.after(timeout, of, [asked] { asked->settle(agent_bridge::send_failure::timeout); });
  } else {
    loop.after(micros(300), of, [asked] { asked->settle(agent_bridge::send_failure::no_responders); });
  }
}

void world::ask_bridge(const bridge_id& to, const bridge_order& what, std::uint64_t epoch, const life& of,
                       std::function<void(std::optional<order_outcome>)> then) {
  auto settled = std::make_shared<bool>(false);
  const auto settle = [settled, then = std::move(then)](std::optional<order_outcome> got) {
    if (!std::exchange(*settled, true)) then(got);
  };
  loop.after(micros(1'000'000), of, [settle] { settle(std::nullopt); });
  if (!the_bridge || !the_bridge->alive() || the_bridge->id() != to) return;
  nats.send(the_bridge->alive(), [this, what, epoch, settle, back = std::weak_ptr(of)] {
    the_bridge->order(what, epoch, [this, settle, back](order_outcome o) {
      if (const auto there = back.lock()) nats.send(there, [settle, o] { settle(o); });
    });
  });
}

void world::publish(const stored_event& e) {
  if (!the_gateway || !the_gateway->alive()) return;
  nats.send(the_gateway->alive(), [this, e] { the_gateway->event(e); });
}

void world::publish_access() {
  if (!the_gateway || !the_gateway->alive()) return;
  for (const auto& [id, row] : db.rows().sessions()) {
    const auto now = db.head(id);
    nats.send(the_gateway->alive(), [this, id, now] { the_gateway->access_changed(id, now.head.epoch, now.access); });
  }
}

void world::read(const life& of, std::function<void(bool answered)> then, std::function<void()> look) {
  if (happens(bad.lost)) return loop.after(micros(4'000'000), of, [then] { then(false); });
  loop.after(nats.delay(), of, [this, of = std::weak_ptr(of), then, look] {
    look();
    if (const auto there = of.lock()) loop.after(nats.delay(), there, [then] { then(true); });
  });
}

void world::start_owner() {
  for (const auto& o : owners) o->retire();
  owners.push_back(std::make_shared<owner>(*this));
  trace("a new owner");
  owners.back()->start();
}

void world::owner_died(const owner& who) {
  if (owners.empty() || owners.back().get() != &who) return;
  loop.after(by.between(micros(200'000), micros(7'000'000)), life_, [this] { start_owner(); });
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
  start_owner();
  the_bridge = std::make_shared<bridge>(*this);
  the_gateway = std::make_shared<gateway>(*this);
  the_gateway->start();
  the_agent = std::make_unique<stock_agent>(*this);
  the_agent->start();
  the_people = std::make_unique<people>(*this);
  const auto add = [&](const char* user, page kind) {
    viewers.push_back(std::make_unique<viewer>(*this, user_id{user}, kind));
    viewers.back()->start();
  };
  add("alice", page::stock);
  add("alice", page::extended);
  if (by.one_in(2)) add("bob", page::extended);
}

/// One thing that happens in the story: somebody acts, or something breaks.
void world::accident() {
  if (by.one_in(2)) the_people->act();
  if (by.one_in(8)) the_agent->type();
  if (by.one_in(12)) viewers[by.below(viewers.size())]->close();
  if (happens(bad.socket_break)) the_agent->break_socket();
  if (happens(bad.agent_restart)) the_agent->restart();
  if (happens(bad.owner_pause)) {
    const auto owner = owners.back();
    const auto how_long = by.between(micros(1'000'000), micros(18'000'000));
    if (owner->listening()) owner->pause(how_long);
    // Its lock goes with it: another takes the shard, and it wakes up as a zombie.
    if (by.one_in(2))
      loop.after(micros(5'500'000), owner->alive(), [this, owner] {
        if (owners.back() == owner) start_owner();
      });
  }
  if (happens(bad.bridge_crash)) {
    the_bridge->die();
    loop.after(by.between(micros(100'000), micros(4'000'000)), life_, [this] {
      if (!the_bridge->alive()) the_bridge = std::make_shared<bridge>(*this);
    });
  }
  if (happens(bad.gateway_crash) && the_gateway->alive()) {
    the_gateway->die();
    loop.after(by.between(micros(100'000), micros(3'000'000)), life_, [this] {
      the_gateway = std::make_shared<gateway>(*this);
      the_gateway->start();
    });
  }
  if (happens(bad.clock_jump)) database_clock += by.between(micros(-4'000'000), micros(6'000'000));
  if (happens(bad.failover)) {
    trace("failover");
    const auto before = db.epoch();
    db.fail_over();
    if (db.epoch() != before) check.failed_over();
  }
  if (by.one_in(6)) db.back_up();
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
