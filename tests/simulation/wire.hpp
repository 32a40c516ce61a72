#pragma once
// NATS between the processes of a run: loses, repeats, delays and so reorders (G4), as the weather has it.

#include <functional>

#include "tests/simulation/faults.hpp"
#include "tests/simulation/loop.hpp"

namespace throughline::simulation {

class wire {
 public:
  wire(event_loop& loop, chance& by, const weather& bad, const bool& stormy)
      : loop_(loop), by_(by), bad_(bad), stormy_(stormy) {}

  /// `arrives` happens once, later, or never, or more than once.
  void send(const life& to, std::function<void()> arrives) {
    if (stormy_ && by_.one_in(bad_.lost)) return;
    if (stormy_ && by_.one_in(bad_.repeated)) loop_.after(delay(), to, arrives);
    loop_.after(delay(), to, std::move(arrives));
  }

  micros delay() {
    const bool late = stormy_ && by_.one_in(bad_.late);
    return late ? by_.between(micros(20'000), micros(3'000'000)) : by_.between(micros(200), micros(8'000));
  }

 private:
  event_loop& loop_;
  chance& by_;
  const weather& bad_;
  const bool& stormy_;
};

}  // namespace throughline::simulation
