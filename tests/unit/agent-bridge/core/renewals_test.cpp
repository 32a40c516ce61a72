#include "services/agent-bridge/core/renewals.hpp"

#include <map>
#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::agent_bridge;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using moment = renewals::moment;

/// In the shard of that number.
session_id session_in(unsigned shard, const std::string& distinct = "0") {
  constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string text = "ses_" + std::string(24 - distinct.size(), '0') + distinct;
  text += alphabet[shard / 32];
  text += alphabet[shard % 32];
  return session_id(text);
}

attachment_id attachment_of(int number) {
  return attachment_id("att_" + std::to_string(number));
}

struct fixture {
  moment now{};
  renewals all;

  explicit fixture(std::size_t at_most = 512, std::uint64_t seed = 7) : all(at_most, seed) {}

  void hold(unsigned shard, int number) { all.hold(session_in(shard), attachment_of(number), now); }
  void release(unsigned shard, int number) { all.release(session_in(shard), attachment_of(number)); }
  std::vector<renewals::attempt> wait(milliseconds longer) {
    now += longer;
    return all.due(now);
  }
  /// Everything that is due up to `longer` from now, each answered at once.
  std::vector<renewals::attempt> pass(milliseconds longer) {
    std::vector<renewals::attempt> asked;
    for (const auto end = now + longer; all.next_wake() && *all.next_wake() <= end;) {
      now = std::max(now, *all.next_wake());
      for (auto& attempt : all.due(now)) {
        asked.push_back(attempt);
        all.answered(attempt.shard, renewed{}, now);
      }
    }
    return asked;
  }
  /// One attempt, of the only shard.
  renewals::attempt first() {
    auto asked = wait(seconds(5));
    REQUIRE(asked.size() == 1);
    return asked.front();
  }
};

}  // namespace

TEST_CASE("the attachments of one shard are one message every 5 s") {
  fixture f;
  for (int i = 0; i < 40; ++i) f.hold(3, i);
  CHECK(f.all.held() == 40);
  const auto asked = f.pass(seconds(50));
  CHECK(asked.size() == 10);
  for (const auto& one : asked) {
    CHECK(one.shard == 3);
    CHECK(one.what.attachments.size() == 40);
    CHECK(one.patience == seconds(1));
  }
}

TEST_CASE("shards are told at different moments, each every 5 s") {
  fixture f;
  for (unsigned shard = 0; shard < 256; ++shard) f.hold(shard, static_cast<int>(shard));
  std::map<shard_number, std::set<moment>> when;
  std::map<long, int> in_tenth;
  while (f.now < moment{} + seconds(20)) {
    f.now = *f.all.next_wake();
    for (const auto& attempt : f.all.due(f.now)) {
      when[attempt.shard].insert(f.now);
      if (f.now < moment{} + seconds(5)) ++in_tenth[(f.now - moment{}) / milliseconds(100)];
      f.all.answered(attempt.shard, renewed{}, f.now);
    }
  }
  CHECK(when.size() == 256);
  for (const auto& [shard, moments] : when) {
    CHECK(*moments.begin() <= moment{} + seconds(5));
    CHECK(*std::next(moments.begin()) - *moments.begin() == seconds(5));
  }
  CHECK(in_tenth.size() > 35);  // of 50
  for (const auto& [tenth, messages] : in_tenth) CHECK(messages < 20);
}

TEST_CASE("more than a message may hold go in further ones, one after the other") {
  fixture f(10);
  for (int i = 0; i < 25; ++i) f.hold(3, i);
  auto asked = f.first();
  std::set<attachment_id> named;
  std::vector<std::size_t> sizes;
  while (true) {
    sizes.push_back(asked.what.attachments.size());
    for (const auto& one : asked.what.attachments) named.insert(one.attachment);
    CHECK(f.all.due(f.now).empty());  // one at a time
    f.all.answered(3, renewed{}, f.now);
    const auto next = f.all.due(f.now);
    if (next.empty()) break;
    asked = next.front();
  }
  CHECK(sizes == std::vector<std::size_t>{10, 10, 5});
  CHECK(named.size() == 25);
}

TEST_CASE(
    "what is not answered is asked again, sooner where nothing can have happened, and each attempt waits longer") {
  fixture f;
  f.hold(3, 1);
  f.hold(3, 2);
  f.first();
  f.all.unanswered(3, send_failure::no_responders, f.now);
  CHECK(f.wait(milliseconds(0)).empty());
  auto again = f.wait(milliseconds(50));
  REQUIRE(again.size() == 1);
  CHECK(again[0].what.attachments.size() == 2);
  CHECK(again[0].patience == seconds(1));
  for (int i = 0; i < 3; ++i) {
    f.all.unanswered(3, send_failure::timeout, f.now);
    again = f.wait(milliseconds(50));
    REQUIRE(again.size() == 1);
    CHECK(again[0].patience == milliseconds(1'500));
  }
  f.all.answered(3, deferred{deferral::not_owner, 0}, f.now);
  CHECK(f.wait(milliseconds(1)).empty());
  again = f.wait(seconds(1));
  REQUIRE(again.size() == 1);
  f.all.answered(3, deferred{deferral::busy, 3'000}, f.now);
  CHECK(f.wait(milliseconds(2'999)).empty());
  REQUIRE(f.wait(milliseconds(1)).size() == 1);
  f.all.answered(3, noted{}, f.now);  // no answer to this question
  REQUIRE(f.wait(seconds(1)).size() == 1);
  f.all.answered(3, renewed{}, f.now);
  CHECK(f.all.due(f.now).size() <= 1);  // at most the next round
}

TEST_CASE("the wire coming back ends the waiting") {
  fixture f;
  f.hold(3, 1);
  f.first();
  for (int i = 0; i < 8; ++i) {
    f.all.unanswered(3, send_failure::disconnected, f.now);
    if (i < 7) REQUIRE(f.wait(seconds(1)).size() == 1);
  }
  CHECK(f.all.due(f.now).empty());
  f.all.wire_restored(f.now);
  CHECK(f.all.due(f.now).size() == 1);
}

TEST_CASE("only what is not simply renewed is told; what is deferred is asked again, alone") {
  fixture f;
  for (int i = 1; i <= 4; ++i) f.hold(3, i);
  f.first();
  const auto told = f.all.answered(3,
                                   renewed{{{attachment_of(1), renewal_fault::unknown},
                                            {attachment_of(2), renewal_fault::superseded},
                                            {attachment_of(3), renewal_fault::deferred},
                                            {attachment_of(9), renewal_fault::unknown}}},
                                   f.now);
  REQUIRE(told.size() == 2);
  CHECK(told[0].attachment == attachment_of(1));
  CHECK(told[0].why == renewal_fault::unknown);
  CHECK(told[1].why == renewal_fault::superseded);
  const auto again = f.wait(milliseconds(50));
  REQUIRE(again.size() == 1);
  REQUIRE(again[0].what.attachments.size() == 1);
  CHECK(again[0].what.attachments[0].attachment == attachment_of(3));
}

TEST_CASE("one session that is never decided stops the renewals of no other") {
  fixture f(10);
  for (int i = 0; i < 30; ++i) f.hold(3, i);
  std::map<attachment_id, moment> last;
  for (const auto end = f.now + seconds(60); f.now < end;) {
    f.now = std::max(f.now, *f.all.next_wake());
    for (const auto& attempt : f.all.due(f.now)) {
      renewed answer;
      for (const auto& one : attempt.what.attachments) {
        if (one.attachment == attachment_of(0)) {
          answer.except.push_back({one.attachment, renewal_fault::deferred});
          continue;
        }
        if (last.contains(one.attachment)) CHECK(f.now - last[one.attachment] <= milliseconds(5'100));
        last[one.attachment] = f.now;
      }
      f.all.answered(attempt.shard, answer, f.now);
    }
  }
  CHECK(last.size() == 29);
}

TEST_CASE("an attachment that was let go is not renewed, and what an answer says of it is nobody's") {
  fixture f;
  f.hold(3, 1);
  f.hold(3, 2);
  f.first();
  f.release(3, 1);
  f.release(3, 2);
  f.hold(3, 2);  // attached again: the question was about the time before
  const renewed said{{{attachment_of(1), renewal_fault::superseded}, {attachment_of(2), renewal_fault::unknown}}};
  CHECK(f.all.answered(3, said, f.now).empty());
  const auto next = f.pass(seconds(5));
  REQUIRE(next.size() == 1);
  REQUIRE(next[0].what.attachments.size() == 1);
  CHECK(next[0].what.attachments[0].attachment == attachment_of(2));
  f.release(3, 2);
  CHECK_FALSE(f.all.next_wake());
  CHECK(f.all.held() == 0);
  CHECK(f.pass(seconds(60)).empty());
}

TEST_CASE("a shard whose last attachment goes while it is asked about is forgotten with the answer") {
  for (const bool answered : {true, false}) {
    fixture f;
    f.hold(3, 1);
    f.first();
    f.release(3, 1);
    CHECK_FALSE(f.all.next_wake());
    answered ? void(f.all.answered(3, renewed{}, f.now)) : f.all.unanswered(3, send_failure::timeout, f.now);
    CHECK_FALSE(f.all.next_wake());
    f.hold(3, 1);
    CHECK(f.pass(seconds(5)).size() == 1);
  }
}

TEST_CASE("a session without a shard is not renewed") {
  fixture f;
  f.all.hold(session_id("ses_x"), attachment_of(1), f.now);
  f.all.release(session_id("ses_x"), attachment_of(1));
  CHECK(f.all.held() == 0);
  CHECK_FALSE(f.all.next_wake());
}
