#pragma once
// One writer on a real PostgreSQL and a real nats-server, and somebody who asks it and watches what it publishes.

#include <mutex>

#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "services/state-sync/shell/writer.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

namespace throughline::testing {

/// Messages received, from any thread.
class received_messages {
 public:
  void add(io::message m) {
    const std::lock_guard hold(guard_);
    all_.push_back(std::move(m));
  }
  std::vector<io::message> all() const {
    const std::lock_guard hold(guard_);
    return all_;
  }
  std::size_t count() const { return all().size(); }
  bool reach(std::size_t n) const {
    return eventually([&] { return count() >= n; });
  }

 private:
  mutable std::mutex guard_;
  std::vector<io::message> all_;
};

/// SQL: from now on this is done at the COMMIT of every transaction that adds an event for which `only_where` holds.
inline std::string at_commit(const std::string& what, const std::string& only_where = "true") {
  return "CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF " + only_where + " THEN " +
         what +
         "; END IF; RETURN NULL; END $$; "
         "CREATE CONSTRAINT TRIGGER fail_commit AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
         "FOR EACH ROW EXECUTE FUNCTION fail_commit()";
}

/// The same: the COMMIT fails.
inline std::string failing_commit(const std::string& sqlstate, const std::string& only_where = "true") {
  return at_commit("RAISE EXCEPTION 'made to fail' USING ERRCODE = '" + sqlstate + "'", only_where);
}

inline const std::string repaired = "DROP TRIGGER fail_commit ON events; DROP FUNCTION fail_commit";

inline post_prompt prompt(const std::string& id, const std::string& content = "text") {
  return {{user_id("alice"), id, "f-" + content}, sample_session, content, false};
}

class writer_bench {
 public:
  writer_bench() {
    link.start();
    outside.start();
    if (!eventually([&] { return link.connected() && outside.connected(); })) throw std::runtime_error("no nats");
    watched_ = outside.subscribe(codec::event_subject(sample_session), "",
                                 [this](io::message m) { events.add(std::move(m)); });
    answers_ = outside.subscribe("answers", "", [this](io::message m) { replies.add(std::move(m)); });
    // What was subscribed is active once a message of our own has come around.
    received_messages around;
    const auto probe_end = outside.subscribe("around", "", [&](io::message m) { around.add(std::move(m)); });
    (void)outside.publish("around", {}, "");
    around.reach(1);
    start();
  }
  ~writer_bench() {
    writer.reset();
    outside.stop();
    link.stop();
  }

  void start() {
    writer =
        std::make_unique<state_sync::writer>(0, state_sync::writer_surroundings{database.database(),
                                                                                out,
                                                                                desk,
                                                                                counts,
                                                                                process,
                                                                                [this](shard_number) {
                                                                                  if (doubts.load() == 0)
                                                                                    return standing.load();
                                                                                  --doubts;
                                                                                  return state_sync::standing::in_doubt;
                                                                                },
                                                                                [this] { return link.connected(); },
                                                                                {}});
  }
  /// Offers a request; its reply arrives in `replies`.
  bool ask(session_request request, millis budget = std::chrono::seconds(20)) {
    state_sync::pending_input input;
    input.to = state_sync::session_of(request);
    input.received = std::chrono::steady_clock::now();
    input.budget = budget;
    io::message from;
    from.subject = "tl1.in.0";
    from.reply = "answers";
    input.what =
        state_sync::asked{std::move(request), desk.wait(from, input.received + std::chrono::minutes(5)), std::nullopt};
    return writer->offer(input);
  }
  bool create(const std::string& id = "create-1", const session_id& session = sample_session) {
    return ask(create_session{{user_id("alice"), id, "f"}, session, "name", "", "{}"});
  }
  answer answer_of(std::size_t which) const {
    const auto decoded = codec::decode_reply(replies.all().at(which).body);
    return std::get<answer>(decoded->what);
  }

  std::vector<answer> answers() const {
    std::vector<answer> all;
    for (const auto& m : replies.all()) {
      const auto decoded = codec::decode_reply(m.body);
      if (const auto* a = std::get_if<answer>(&decoded->what)) all.push_back(*a);
    }
    return all;
  }
  /// Senders that were put off.
  std::size_t busy() const { return replies.count() - answers().size(); }
  /// Of a counter without labels.
  double metric(const std::string& name) const {
    const auto text = registry.render();
    const auto line = "\nthroughline_state_sync_" + name + " ";
    const auto at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  }

  empty_database database;
  static nats_server& nats() {
    static nats_server only;
    return only;
  }
  ops::metrics_registry registry;
  state_sync::probe counts{registry};
  io::nats_link link{{.urls = nats().url(), .name = "writer"}};
  io::nats_link outside{{.urls = nats().url(), .name = "outside"}};
  state_sync::reply_desk desk{link};
  state_sync::order_desk orders{link, counts, [](command_outcome) { return true; }};
  state_sync::publisher out{link, orders, desk, counts};
  state_sync::pulse process{std::chrono::steady_clock::now() + std::chrono::hours(1)};
  std::atomic<state_sync::standing> standing = state_sync::standing::owner;
  std::atomic<unsigned> doubts = 0;  ///< so often `in_doubt` is said first
  received_messages events, replies;
  std::unique_ptr<state_sync::writer> writer;

 private:
  io::subscription watched_, answers_;
};

}  // namespace throughline::testing
