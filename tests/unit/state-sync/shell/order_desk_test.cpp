// Orders to bridges over a real nats-server (design 6.3).

#include "services/state-sync/shell/order_desk.hpp"

#include <atomic>
#include <mutex>

#include <doctest/doctest.h>

#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

const bridge_id bridge{"brg_01h2xcejqtf2nbrexx3vqjhp44"};
const attachment_id attachment{"att_01h2xcejqtf2nbrexx3vqjhp43"};

class order_bench {
 public:
  explicit order_bench(order_times times = {}) : how_often(times) {
    link.start();
    eventually([&] { return link.connected(); });
  }
  ~order_bench() { link.stop(); }

  void answer(order_outcome outcome) {
    bridge_ = link.subscribe(codec::bridge_subject(bridge), "", [this, outcome](io::message m) {
      {
        const std::lock_guard hold(guard);
        asked.push_back(std::move(codec::decode_order(m.body)->what));
      }
      (void)link.respond(m, {}, codec::encode(outcome));
    });
  }
  void silent() { bridge_.reset(); }
  std::size_t outcomes() const {
    const std::lock_guard hold(guard);
    return told.size();
  }
  std::size_t orders_seen() const {
    const std::lock_guard hold(guard);
    return asked.size();
  }
  void write(const char* command) {
    desk.give({bridge, sample_session, write_command{attachment, command_id(command), agent::cancel_current_turn{}}},
              1);
  }
  void supersede_it() { desk.give({bridge, sample_session, supersede{attachment}}, 1); }

  static nats_server& nats() {
    static nats_server only;
    return only;
  }
  bool counted(const std::string& line) const { return registry.render().find(line) != std::string::npos; }
  double sends() const {
    const std::string name = "\nthroughline_state_sync_orders_total ";
    const auto text = registry.render();
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size()));
  }

  const order_times how_often;
  mutable std::mutex guard;
  std::vector<bridge_order> asked;
  std::vector<command_outcome> told;
  ops::metrics_registry registry;
  probe counts{registry};
  io::nats_link link{{.urls = nats().url(), .name = "orders"}};
  std::atomic<bool> full = false;  ///< the next outcome finds no room
  std::atomic<state_sync::standing> standing = state_sync::standing::owner;
  order_desk desk{link, counts,
                  [this](command_outcome o) {
                    if (full.exchange(false)) return false;
                    const std::lock_guard hold(guard);
                    told.push_back(std::move(o));
                    return true;
                  },
                  [this](shard_number) { return standing.load(); }, how_often};

 private:
  io::subscription bridge_;
};

std::string sent(const order_bench& b) {
  std::string commands;
  const std::lock_guard hold(b.guard);
  for (const auto& o : b.asked) {
    const auto* write = std::get_if<write_command>(&o);
    commands += write == nullptr ? "-" : write->command.text();
  }
  return commands;
}

}  // namespace

TEST_CASE("commands of one attachment go out in order, and their outcomes come back") {
  order_bench b;
  b.answer(order_outcome::written);
  for (const auto* c : {"a", "b", "c"}) b.write(c);
  REQUIRE(eventually([&] { return b.outcomes() == 3; }));
  CHECK(sent(b) == "abc");
  CHECK(b.told[0].command == command_id("a"));
  CHECK(b.told[0].session == sample_session);
  CHECK(b.told[0].written);
}

TEST_CASE("what was not written is told so") {
  order_bench b;
  b.answer(order_outcome::not_written);
  b.write("a");
  REQUIRE(eventually([&] { return b.outcomes() == 1; }));
  CHECK_FALSE(b.told[0].written);
}

TEST_CASE("an order nobody hears is repeated until somebody does") {
  order_bench b;
  b.write("a");
  REQUIRE(eventually(
      [&] { return b.registry.render().find("throughline_state_sync_orders_total 1") != std::string::npos; }));
  b.answer(order_outcome::written);
  REQUIRE(eventually([&] { return b.outcomes() == 1; }));
}

TEST_CASE("a bridge that does not know the attachment decides nothing; the order is repeated") {
  order_bench b;
  b.answer(order_outcome::unknown);
  b.write("a");
  REQUIRE(eventually([&] { return b.orders_seen() >= 2; }));
  CHECK(b.outcomes() == 0);
}

TEST_CASE("a superseded attachment gets nothing written any more") {
  order_bench b;
  b.standing = standing::in_doubt;  // so that none is on its way yet
  b.write("a");
  b.write("b");
  b.supersede_it();
  b.answer(order_outcome::written);
  b.standing = standing::owner;
  REQUIRE(eventually([&] { return b.orders_seen() == 1; }));
  CHECK(sent(b) == "-");
  CHECK(b.outcomes() == 0);
}

TEST_CASE("what a sealed attachment waits for is void, and so is a command that is gone") {
  order_bench b;
  b.standing = standing::in_doubt;  // so that none is on its way yet
  b.write("a");
  b.desk.attachment_is(attachment, attachment_state::sealed);
  b.write("b");
  b.write("c");
  b.desk.command_gone(command_id("b"));
  b.answer(order_outcome::written);
  b.standing = standing::owner;
  REQUIRE(eventually([&] { return b.outcomes() == 1; }));
  CHECK(sent(b) == "c");
}

TEST_CASE("an owner in doubt sends nothing until it is sure, and one that was replaced never does") {
  order_bench b;
  b.answer(order_outcome::written);
  b.standing = standing::in_doubt;
  b.write("a");
  b.standing = standing::owner;
  REQUIRE(eventually([&] { return b.outcomes() == 1; }));
  b.standing = standing::stranger;
  b.write("b");
  // The same attachment's next order finds the desk empty: what waited was dropped, not kept for later.
  REQUIRE(eventually([&] { return b.desk.waiting() == 0; }));
  b.standing = standing::owner;
  b.write("c");
  REQUIRE(eventually([&] { return b.outcomes() == 2; }));
  CHECK(sent(b) == "ac");
}

TEST_CASE("a write is kept however long nobody answers; an order to close is given up in time, and that is counted") {
  using std::chrono::milliseconds;
  order_bench b({milliseconds{1'000}, milliseconds{10}, 1'000, milliseconds{10}, milliseconds{100}});
  const attachment_id other{"att_01h2xcejqtf2nbrexx3vqjhp55"};
  b.write("a");
  b.desk.give({bridge, sample_session, close_attachment{other, 1008, "token revoked"}}, 1);
  REQUIRE(eventually([&] { return b.desk.waiting() == 1; }));
  CHECK(b.counted("throughline_state_sync_orders_dropped_total 1"));
  b.answer(order_outcome::written);
  REQUIRE(eventually([&] { return b.outcomes() == 1; }));
  CHECK(sent(b) == "a");
}

TEST_CASE("an order that is asked rarely is asked at once when NATS is back, or its attachment") {
  using std::chrono::milliseconds;
  order_bench b({milliseconds{1'000}, milliseconds{10}, 3, std::chrono::hours{1}, std::chrono::hours{1}});
  b.write("a");
  REQUIRE(eventually([&] { return b.sends() == 3; }));
  b.answer(order_outcome::unknown);
  b.desk.was_deaf_until_now();
  REQUIRE(eventually([&] { return b.sends() == 6; }));
  b.answer(order_outcome::written);
  REQUIRE(eventually([&] {
    b.desk.attachment_is(attachment, attachment_state::live);
    return b.outcomes() == 1;
  }));
}

TEST_CASE("an outcome that finds no room is asked for again") {
  order_bench b;
  b.full = true;
  b.answer(order_outcome::written);
  b.write("a");
  b.write("b");
  REQUIRE(eventually([&] { return b.outcomes() == 2; }));
  CHECK(sent(b) == "aab");
}
