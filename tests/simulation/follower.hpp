#pragma once
// A program that waits for one answer over SSE (design 5.3.1). Whatever happens to its gateway, it goes on at another
// one with the last id it had; each chunk is held against the log.

#include <memory>
#include <optional>
#include <string>

#include "services/gateway/core/followed_answer.hpp"
#include "tests/simulation/view.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class answer_stream;

class follower {
 public:
  follower(world& around, user_id user, session_id session, interaction_id id);
  ~follower();

  void start();
  void leave();  ///< closes, and comes again with what it had last

  // From the stream.
  void take(const throughline::gateway::answer_chunk& c);
  void stopped(const std::string& code);  ///< without an end: an error, or the connection is gone

  const user_id& user() const { return user_; }
  const session_id& session() const { return session_; }
  const interaction_id& waits_for() const { return id_; }
  bool done() const { return done_; }

 private:
  using chunk = throughline::gateway::answer_chunk;
  void connect();
  void come_again();
  void opened(const chunk& c);
  void part(const chunk& c);
  void ended(const chunk& c);
  void go_to(position at);
  void must_follow(position at) const;
  std::u16string text_there() const;

  world& w_;
  user_id user_;
  session_id session_;
  interaction_id id_;
  bool opening_ = false;  ///< the first chunk of a connection is still to come
  bool done_ = false;
  std::optional<position> last_;  ///< Last-Event-ID
  std::optional<position> asked_since_;
  view fold_;  ///< the interaction as committed up to `last_`
  position folded_;
  std::shared_ptr<answer_stream> stream_;
  life page_ = new_life();
};

}  // namespace throughline::simulation
