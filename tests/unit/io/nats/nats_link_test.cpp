#include "common/io/nats/nats_link.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include "common/io/nats/splitting.hpp"
#include "tests/support/servers.hpp"

using namespace throughline;
using namespace throughline::io;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

nats_server& server() {
  static nats_server only;
  return only;
}

nats_settings settings(std::function<void()> wake = {}) {
  return {server().url(), "", "unit_io", std::move(wake)};
}

/// A started link that is connected.
struct connected_link {
  explicit connected_link(std::function<void()> wake = {}) : link(settings(std::move(wake))) {
    link.start();
    REQUIRE(eventually([&] { return link.connected(); }));
  }
  nats_link* operator->() { return &link; }
  nats_link link;
};

/// What arrived, for a test's thread to look at.
template <class T>
class collected {
 public:
  void add(T one) {
    const std::scoped_lock lock(guard_);
    all_.push_back(std::move(one));
  }
  std::vector<T> all() const {
    const std::scoped_lock lock(guard_);
    return all_;
  }
  std::size_t size() const { return all().size(); }

 private:
  mutable std::mutex guard_;
  std::vector<T> all_;
};

result<message> answer_to(nats_link& link, const request_target& target, const message_headers& headers,
                          const std::string& body, std::chrono::milliseconds timeout = 5s) {
  collected<result<message>> answers;
  const auto handle =
      link.request(target, headers, body, timeout, [&](result<message> m) { answers.add(std::move(m)); });
  REQUIRE(eventually([&] { return answers.size() == 1; }, timeout + 5s));
  return answers.all()[0];
}

}  // namespace

TEST_CASE("published messages arrive in order, with headers, reply subject and bytes as they were") {
  connected_link a;
  connected_link b;
  collected<message> got;
  const auto sub = b->subscribe("t.order.*", "", [&](message m) { got.add(std::move(m)); });
  REQUIRE(answer_to(b.link, {"t.flush.nobody", ""}, {}, "").error().code == "no_responders");  // subscribed by now
  const std::string bytes("a\0\r\nb\xff", 6);
  REQUIRE(a->publish("t.order.0", {{"Epoch", "1"}, {"Seq", "7"}}, bytes).has_value());
  for (int i = 1; i < 1000; ++i) REQUIRE(a->publish("t.order.x", {}, std::to_string(i)).has_value());
  REQUIRE(eventually([&] { return got.size() == 1000; }));
  const auto all = got.all();
  CHECK(all[0].subject == "t.order.0");
  CHECK(all[0].body == bytes);
  CHECK(all[0].header("Seq") == "7");
  CHECK(all[0].header("Epoch") == "1");
  CHECK(all[0].header("seq").empty());
  CHECK(all[0].headers.size() == 2);
  for (std::size_t i = 1; i < 1000; ++i) CHECK(all[i].body == std::to_string(i));
}

TEST_CASE("a request made after subscribe is seen by the subscription, without waiting") {
  connected_link link;
  for (int i = 0; i < 50; ++i) {
    const auto subject = "t.race." + std::to_string(i);
    const auto sub = link->subscribe(subject, "", [&](const message& m) { link->respond(m, {}, "here"); });
    CHECK(answer_to(link.link, {subject, ""}, {}, "").has_value());
  }
}

TEST_CASE("requests: the answer, nobody there, no answer, and no reply subject") {
  connected_link asking;
  connected_link serving;
  const auto echo = serving->subscribe("t.echo", "q", [&](const message& m) {
    serving->respond(m, {{"Kind", std::string(m.header("Kind"))}}, "<" + m.body + ">");
  });
  const auto mute = serving->subscribe("t.mute", "", [](const message&) {});
  REQUIRE(answer_to(serving.link, {"t.echo", ""}, {}, "").has_value());

  const auto answer = answer_to(asking.link, {"t.echo", ""}, {{"Kind", "k"}}, "hello");
  REQUIRE(answer.has_value());
  CHECK(answer->body == "<hello>");
  CHECK(answer->header("Kind") == "k");
  CHECK(answer_to(asking.link, {"t.nobody", ""}, {}, "").error().code == "no_responders");

  const auto from = std::chrono::steady_clock::now();
  CHECK(answer_to(asking.link, {"t.mute", ""}, {}, "", 150ms).error().code == "timeout");
  const auto took = std::chrono::steady_clock::now() - from;
  CHECK(took >= 150ms);
  CHECK(took < 2s);
  CHECK(asking->respond(message{"s", "", {}, ""}, {}, "").error().code == "no_reply_subject");
  CHECK(asking->publish("s", {{"Bad", "a\r\nb"}}, "").error().code == "bad_header");
}

TEST_CASE("many requests at once get each their own answer") {
  connected_link asking;
  connected_link serving;
  const auto echo = serving->subscribe("t.many", "", [&](const message& m) { serving->respond(m, {}, m.body + "!"); });
  REQUIRE(answer_to(serving.link, {"t.many", ""}, {}, "").has_value());
  constexpr int count = 2000;
  std::atomic<int> right = 0;
  std::vector<request_handle> handles;
  for (int i = 0; i < count; ++i) {
    handles.push_back(asking->request({"t.many", ""}, {}, std::to_string(i), 10s, [&right, i](result<message> m) {
      if (m && m->body == std::to_string(i) + "!") ++right;
    }));
  }
  CHECK(eventually([&] { return right == count; }));
}

TEST_CASE("a cancelled request's callback does not run, a released one's does") {
  connected_link link;
  collected<message> asked;
  const auto slow = link->subscribe("t.slow", "", [&](message m) { asked.add(std::move(m)); });
  std::atomic<int> cancelled = 0;
  std::atomic<int> released = 0;
  {
    const auto dropped = link->request({"t.slow", ""}, {}, "1", 5s, [&](const result<message>&) { ++cancelled; });
    auto kept = link->request({"t.slow", ""}, {}, "2", 5s, [&](const result<message>&) { ++released; });
    kept.release();
    REQUIRE(eventually([&] { return asked.size() == 2; }));
  }
  for (const auto& m : asked.all()) link->respond(m, {}, "late");
  CHECK(eventually([&] { return released == 1; }));
  CHECK(answer_to(link.link, {"t.nobody", ""}, {}, "").error().code == "no_responders");  // behind both answers
  CHECK(cancelled == 0);
}

TEST_CASE("a 3 MiB message is split and joined: published, asked and answered, and goes to the direct subject") {
  connected_link a;
  connected_link b;
  std::string big(3u << 20, ' ');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 31 % 251);
  collected<message> got;
  const auto sub = b->subscribe("t.big", "", [&](message m) { got.add(std::move(m)); });
  const auto queued = b->subscribe("t.bigask", "group", [&](const message& m) { b->respond(m, {}, "queue"); });
  const auto direct =
      b->subscribe("t.bigask.direct", "", [&](const message& m) { b->respond(m, {{"Way", "direct"}}, m.body); });
  REQUIRE(answer_to(b.link, {"t.bigask", ""}, {}, "")->body == "queue");

  REQUIRE(a->publish("t.big", {{"Seq", "9"}}, big).has_value());
  REQUIRE(eventually([&] { return got.size() == 1; }));
  CHECK(got.all()[0].body == big);
  CHECK(got.all()[0].header("Seq") == "9");
  CHECK(got.all()[0].headers.size() == 1);

  const auto small = answer_to(a.link, {"t.bigask", "t.bigask.direct"}, {}, "small");
  CHECK(small->body == "queue");
  const auto answer = answer_to(a.link, {"t.bigask", "t.bigask.direct"}, {}, big);
  REQUIRE(answer.has_value());
  CHECK(answer->body == big);
  CHECK(answer->header("Way") == "direct");
  CHECK(answer_to(a.link, {"t.nobody", ""}, {}, big).error().code == "no_responders");
  CHECK(a->publish("t.big", {}, std::string(join_bytes_max + 1, 'x')).error().code == "too_large");
  CHECK(b->joins_dropped() == 0);
}

TEST_CASE("members of a queue group share") {
  connected_link link;
  std::atomic<int> one = 0;
  std::atomic<int> two = 0;
  const auto first = link->subscribe("t.queue", "g", [&](const message&) { ++one; });
  const auto second = link->subscribe("t.queue", "g", [&](const message&) { ++two; });
  REQUIRE(answer_to(link.link, {"t.nobody", ""}, {}, "").error().code == "no_responders");
  for (int i = 0; i < 200; ++i) REQUIRE(link->publish("t.queue", {}, "").has_value());
  CHECK(eventually([&] { return one + two == 200; }));
  CHECK(one > 0);
  CHECK(two > 0);
}

TEST_CASE("after a subscription has ended its handler does not run, and ending waits for one that does") {
  connected_link link;
  std::atomic<bool> inside = false;
  std::atomic<bool> leave = false;
  std::atomic<int> calls = 0;
  auto sub = link->subscribe("t.end", "", [&](const message&) {
    ++calls;
    inside = true;
    while (!leave) std::this_thread::yield();
    inside = false;
  });
  REQUIRE(link->publish("t.end", {}, "").has_value());
  REQUIRE(link->publish("t.end", {}, "").has_value());
  REQUIRE(eventually([&] { return inside.load(); }));
  std::thread ender([&] {
    std::this_thread::yield();
    leave = true;
  });
  sub.reset();
  CHECK_FALSE(inside);
  const int then = calls;
  ender.join();
  CHECK(answer_to(link.link, {"t.nobody", ""}, {}, "").error().code == "no_responders");
  CHECK(calls == then);
  CHECK_FALSE(sub);
}

TEST_CASE("a handler may end its own subscription") {
  connected_link link;
  std::atomic<int> calls = 0;
  subscription sub;
  sub = link->subscribe("t.self", "", [&](const message&) {
    ++calls;
    sub.reset();
  });
  REQUIRE(link->publish("t.self", {}, "").has_value());
  REQUIRE(eventually([&] { return calls == 1; }));
  REQUIRE(link->publish("t.self", {}, "").has_value());
  CHECK(answer_to(link.link, {"t.nobody", ""}, {}, "").error().code == "no_responders");
  CHECK(calls == 1);
}

TEST_CASE("with a waker: one wake per batch, everything on the draining thread, limits held") {
  std::atomic<int> wakes = 0;
  connected_link link([&] { ++wakes; });
  const auto me = std::this_thread::get_id();
  collected<std::string> got;
  bool elsewhere = false;
  collected<std::string> dropped;
  nats_link limited(settings([] {}));
  limited.on_dropped([&](const std::string& subject) { dropped.add(subject); });
  limited.start();
  REQUIRE(eventually([&] { return limited.connected(); }));

  const auto sub = link->subscribe("t.wake", "", [&](const message& m) {
    elsewhere = elsewhere || std::this_thread::get_id() != me;
    got.add(m.body);
  });
  const auto few = limited.subscribe("t.wake", "", [&](const message& m) { got.add("few " + m.body); }, {10, 1u << 20});
  connected_link sender;
  for (auto* each : {&link.link, &limited}) {
    collected<result<message>> answers;
    const auto handle =
        each->request({"t.nobody", ""}, {}, "", 5s, [&](result<message> m) { answers.add(std::move(m)); });
    REQUIRE(eventually([&] { return each->drain(), answers.size() == 1; }));
  }
  wakes = 0;
  for (int i = 0; i < 100; ++i) REQUIRE(sender->publish("t.wake", {}, std::to_string(i)).has_value());
  REQUIRE(eventually([&] { return few.dropped() == 90; }));
  CHECK(got.size() == 0);
  int drained = 0;
  while (got.size() < 100) {
    REQUIRE(eventually([&] { return wakes > drained; }));
    CHECK(wakes == ++drained);
    link->drain();
  }
  CHECK(got.all().front() == "0");
  CHECK(got.all().back() == "99");
  CHECK_FALSE(elsewhere);

  limited.drain();
  CHECK(got.size() == 110);
  // Once when dropping began, once when it had stopped for a second.
  CHECK(dropped.all() == std::vector<std::string>{"t.wake"});
  CHECK(eventually([&] { return limited.drain(), dropped.size() == 2; }));
}

TEST_CASE("what waits for a drain does not run after its subscription, request or link has ended") {
  int calls = 0;
  std::atomic<int> wakes = 0;
  auto link = std::make_unique<nats_link>(settings([&] { ++wakes; }));
  link->start();
  REQUIRE(eventually([&] { return link->connected(); }));
  auto first = link->subscribe("t.after", "", [&](const message&) { ++calls; });
  auto second = link->subscribe("t.after", "", [&](const message&) { ++calls; });
  auto handle = link->request({"t.nobody", ""}, {}, "", 5s, [&](const result<message>&) { ++calls; });
  REQUIRE(eventually([&] { return wakes > 0; }));
  REQUIRE(link->publish("t.after", {}, "").has_value());
  collected<result<message>> answers;
  const auto last = link->request({"t.nobody", ""}, {}, "", 5s, [&](result<message> m) { answers.add(std::move(m)); });
  first.reset();
  handle.cancel();
  const auto drain = link->drainer();
  link.reset();
  drain();
  CHECK(calls == 0);
  CHECK(answers.size() == 0);
  second.reset();
}

TEST_CASE("an exception leaves drain, and the rest is run by the next one") {
  std::atomic<int> wakes = 0;
  connected_link link([&] { ++wakes; });
  int calls = 0;
  const auto sub = link->subscribe("t.throw", "", [&](const message&) {
    if (++calls == 1) throw std::runtime_error("first");
  });
  collected<result<message>> answers;
  const auto first = link->request({"t.nobody", ""}, {}, "", 5s, [&](result<message> m) { answers.add(std::move(m)); });
  REQUIRE(eventually([&] { return link->drain(), answers.size() == 1; }));
  for (int i = 0; i < 3; ++i) REQUIRE(link->publish("t.throw", {}, "").has_value());
  int thrown = 0;
  CHECK(eventually([&] {
    try {
      link->drain();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
    return calls == 3;
  }));
  CHECK(thrown == 1);
}

TEST_CASE("subscriptions that are finished handle what the server has sent for them, and nothing is lost after that") {
  connected_link asking;
  connected_link serving;
  std::vector<subscription> subjects;
  for (int i = 0; i < 16; ++i) {
    subjects.push_back(serving->subscribe("t.finish." + std::to_string(i), "", [&](const message& m) {
      std::this_thread::sleep_for(100us);  // requests pile up behind the handler
      serving->respond(m, {}, "here");
    }));
  }
  // The server has all subscriptions once the last one answers.
  REQUIRE(eventually([&] { return answer_to(asking.link, {"t.finish.15", ""}, {}, "").has_value(); }));
  std::atomic<int> answered = 0, nobody = 0, lost = 0;
  std::atomic<bool> stopping = false;
  std::vector<request_handle> handles;
  std::thread storm([&] {
    for (int i = 0; !stopping; ++i) {
      handles.push_back(
          asking->request({"t.finish." + std::to_string(i % 16), ""}, {}, "", 20s, [&](const result<message>& m) {
            m ? ++answered : m.error().code == "no_responders" ? ++nobody : ++lost;
          }));
      if (i % 8 == 0) std::this_thread::sleep_for(500us);
    }
  });
  CHECK(eventually([&] { return answered > 100; }));
  serving->finish(std::move(subjects), 10s);
  const int by_then = answered;
  CHECK(eventually([&] { return nobody > 0; }));
  stopping = true;
  storm.join();
  CHECK(eventually([&] { return answered + nobody == static_cast<int>(handles.size()); }));
  CHECK(lost == 0);
  CHECK(by_then > 0);
}
