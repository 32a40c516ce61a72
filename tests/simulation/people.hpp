#pragma once
// People and programs that use the HTTP API: prompts, cancels, names and grants, each under an id, repeated under it
// until answered (design 5.3), sometimes many times at once.

#include <string>

#include "services/gateway/core/sending.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class people {
 public:
  explicit people(world& around) : w_(around) {}

  void act();  ///< something somebody does

 private:
  struct wish {
    session_request request;
    std::string id;
    std::string scope;
    int tries = 0;
  };

  void post();
  void cancel();
  void rename();
  void grant();
  void want(session_request request);
  void attempt(const std::shared_ptr<wish>& what, const std::shared_ptr<throughline::gateway::mutation_attempts>& how,
               millis timeout);
  void follow_answer(const wish& what, const answer& said);
  session_id some_session();
  caller by(const std::string& fingerprint);

  world& w_;
  life alive_ = new_life();
  std::uint64_t wishes_ = 0;
};

}  // namespace throughline::simulation
