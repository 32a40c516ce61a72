#pragma once
// NATS between the processes of a run: loses, repeats, delays and so reorders (G4), as the weather has it. Bytes above
// what a message may hold travel in parts (design 3.8), cut and joined by the real code, each with a fate of its own.

#include <cstdint>
#include <functional>
#include <string>

#include "common/io/nats/splitting.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/loop.hpp"

namespace throughline::simulation {

class wire {
 public:
  using taker = std::function<void(const io::message&)>;

  wire(event_loop& loop, chance& by, const weather& bad, const bool& stormy, plant planted)
      : loop_(loop), by_(by), bad_(bad), stormy_(stormy), planted_(planted) {}

  /// `arrives` happens once, later, or never, or more than once.
  void send(const life& to, std::function<void()> arrives);
  /// The same for one message as bytes: `arrives` gets it whole, or it never happens.
  void post(const life& to, const io::message_headers& headers, const std::string& body, const taker& arrives);
  /// True where messages may be larger than the server takes: then everything travels as bytes.
  bool is_narrow() const { return bad_.payload_max != 0; }

  micros delay();

 private:
  void take_part(const void* receiver, io::message part, const taker& arrives);
  void fill_holes(std::uint64_t receiver, const io::message& last);

  event_loop& loop_;
  chance& by_;
  const weather& bad_;
  const bool& stormy_;
  plant planted_;
  io::joiner joiner_;
  std::uint64_t split_ = 0;
};

}  // namespace throughline::simulation
