#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/io/nats/nats_link.hpp"
#include "tests/support/servers.hpp"

using namespace throughline;
using namespace throughline::io;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

struct counted_link {
  explicit counted_link(const std::string& urls) : link({urls, "", "outage", {}}) {
    link.on_connected([this] { ++connects; });
    link.on_disconnected([this] { ++disconnects; });
    link.start();
  }
  std::atomic<int> connects = 0;
  std::atomic<int> disconnects = 0;
  nats_link link;
};

std::string outcome_of(nats_link& link, const std::string& subject, std::chrono::milliseconds timeout = 5s) {
  std::atomic<bool> done = false;
  std::string outcome;
  const auto handle = link.request({subject, ""}, {}, "", timeout, [&](const result<message>& m) {
    outcome = m ? m->body : m.error().code;
    done = true;
  });
  REQUIRE(eventually([&] { return done.load(); }, timeout + 5s));
  return outcome;
}

}  // namespace

TEST_CASE("a server that is not there is no error; the link connects when it comes, to whichever of the list") {
  nats_server server;
  server.kill();
  counted_link c("nats://127.0.0.1:1, " + server.url() + ",nats://no-such-host.invalid:4222");
  std::atomic<int> got = 0;
  const auto sub = c.link.subscribe("o.early", "", [&](const message&) { ++got; });
  CHECK_FALSE(c.link.connected());
  CHECK(c.link.publish("o.early", {}, "").error().code == "disconnected");
  CHECK(outcome_of(c.link, "o.early") == "disconnected");
  server.start();
  REQUIRE(eventually([&] { return c.connects == 1; }, 20s));
  CHECK(c.link.connected());
  REQUIRE(c.link.publish("o.early", {}, "").has_value());
  CHECK(eventually([&] { return got == 1; }));
}

TEST_CASE("killed and restarted: told of both, subscriptions restored, nothing of the outage appears later") {
  nats_server server;
  counted_link c(server.url());
  counted_link watcher(server.url());
  std::mutex guard;
  std::multiset<std::string> got;
  const auto sub = watcher.link.subscribe("o.kill", "", [&](const message& m) {
    const std::scoped_lock lock(guard);
    got.insert(m.body);
  });
  const auto has = [&](const std::string& body) {
    const std::scoped_lock lock(guard);
    return got.contains(body);
  };
  REQUIRE(eventually([&] { return c.connects == 1 && watcher.connects == 1; }));
  REQUIRE(c.link.publish("o.kill", {}, "before").has_value());
  REQUIRE(eventually([&] { return has("before"); }));

  for (int round = 1; round <= 3; ++round) {
    server.kill();
    REQUIRE(eventually([&] { return c.disconnects == round && watcher.disconnects == round; }));
    CHECK_FALSE(c.link.connected());
    // The connection that is ending may take one still; that is lost with it.
    CHECK(eventually([&] {
      const auto taken = c.link.publish("o.kill", {}, "during");
      return !taken && taken.error().code == "disconnected";
    }));
    server.start();
    REQUIRE(eventually([&] { return c.connects == round + 1 && watcher.connects == round + 1; }, 20s));
    const auto after = "after " + std::to_string(round);
    REQUIRE(c.link.publish("o.kill", {}, after).has_value());
    REQUIRE(eventually([&] { return has(after); }));
  }
  CHECK_FALSE(has("during"));
  CHECK(got.size() == 4);
}

TEST_CASE("requests under way when the connection breaks fail at once, as unknown") {
  nats_server server;
  counted_link c(server.url());
  REQUIRE(eventually([&] { return c.connects == 1; }));
  std::atomic<int> asked = 0;
  const auto mute = c.link.subscribe("o.mute", "", [&](const message&) { ++asked; });
  std::atomic<bool> done = false;
  std::string code;
  const auto handle = c.link.request({"o.mute", ""}, {}, "", 60s, [&](const result<message>& m) {
    code = m ? "answered" : m.error().code;
    done = true;
  });
  REQUIRE(eventually([&] { return asked == 1; }));
  server.kill();
  REQUIRE(eventually([&] { return done.load(); }));
  CHECK(code == "connection_lost");
}

TEST_CASE("a frozen server is noticed, and its connection replaced when it goes on") {
  nats_server server;
  counted_link c(server.url());
  REQUIRE(eventually([&] { return c.connects == 1; }));
  server.freeze();
  CHECK(outcome_of(c.link, "o.frozen", 200ms) == "timeout");
  REQUIRE(eventually([&] { return c.disconnects == 1; }, 15s));
  server.thaw();
  CHECK(eventually([&] { return c.connects == 2; }, 15s));
  CHECK(outcome_of(c.link, "o.nobody") == "no_responders");
}

TEST_CASE("why no server takes us is told once, server by server, without a password") {
  nats_server server;
  const auto away = server.url();
  server.kill();
  std::mutex guard;
  std::vector<std::string> reasons;
  nats_link link({"nats://me:s%65cret@" + away.substr(7) + ",nats://127.0.0.1:1", "", "refused", {}});
  link.on_refused([&](const std::string& why) {
    const std::scoped_lock lock(guard);
    reasons.push_back(why);
  });
  const auto told = [&] {
    const std::scoped_lock lock(guard);
    return reasons;
  };
  std::atomic<int> connects = 0;
  link.on_connected([&] { ++connects; });
  link.start();
  REQUIRE(eventually([&] { return !told().empty(); }));
  CHECK(told().front().find(away) != std::string::npos);
  CHECK(told().front().find("nats://127.0.0.1:1: ") != std::string::npos);
  CHECK(told().front().find("ecret") == std::string::npos);
  server.start();
  REQUIRE(eventually([&] { return connects == 1; }, 20s));
  CHECK(told().size() <= 2);  // the servers may have been tried in either order
}

TEST_CASE("a link that never connected, or is connecting, stops") {
  {
    nats_link never({"nats://127.0.0.1:1", "", "", {}});
  }
  nats_link trying({"nats://127.0.0.1:1", "", "", {}});
  trying.start();
  trying.stop();
  trying.stop();
  CHECK_FALSE(trying.connected());
}

TEST_CASE("the end of a link is bounded, also where its server stands still") {
  const auto ends_within = [](nats_link& link, std::chrono::milliseconds longest) {
    const auto began = std::chrono::steady_clock::now();
    link.stop(0ms);
    return std::chrono::steady_clock::now() - began < longest;
  };
  nats_server server;
  counted_link c(server.url());
  REQUIRE(eventually([&] { return c.connects == 1; }));
  server.freeze();
  REQUIRE(c.link.publish("o.end", {}, "not waited for").has_value());
  CHECK(ends_within(c.link, 1s));

  // Each of these takes a connection and says nothing: the first attempt is the last.
  nats_server another;
  another.freeze();
  nats_link connecting({server.url() + "," + another.url() + "," + server.url(), "", "end", {}});
  connecting.start();
  CHECK_FALSE(eventually([&] { return connecting.connected(); }, 200ms));
  CHECK(ends_within(connecting, 3s));
  server.thaw();
  another.thaw();
}
