#include "tests/simulation/wire.hpp"

#include <utility>

#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

void wire::send(const life& to, std::function<void()> arrives) {
  if (stormy_ && by_.one_in(bad_.lost)) return;
  if (stormy_ && by_.one_in(bad_.repeated)) loop_.after(delay(), to, arrives);
  loop_.after(delay(), to, std::move(arrives));
}

micros wire::delay() {
  const bool late = stormy_ && by_.one_in(bad_.late);
  return late ? by_.between(micros(20'000), micros(3'000'000)) : by_.between(micros(200), micros(8'000));
}

void wire::post(const life& to, const io::message_headers& headers, const std::string& body, const taker& arrives) {
  const auto size = io::wire_size(headers, body);
  const auto limit = io::split_limit(bad_.payload_max);
  if (!is_narrow() || size <= limit || planted_ == plant::never_split) {
    // The server ends the connection of who sends more than it takes; nobody gets it.
    if (is_narrow() && size > bad_.payload_max) return;
    send(to, [m = io::message{{}, {}, headers, body}, arrives] { arrives(m); });
    return;
  }
  const auto parts = io::split(headers, body, limit, "m" + std::to_string(++split_));
  must(!parts.empty(), "harness", "headers leave no room for a part");
  for (const auto& part : parts) {
    send(to, [this, who = to.get(), m = io::message{{}, {}, part.headers, std::string(part.body)}, arrives] {
      take_part(who, m, arrives);
    });
  }
}

void wire::take_part(const void* receiver, io::message part, const taker& arrives) {
  const auto who = reinterpret_cast<std::uintptr_t>(receiver);
  if (planted_ == plant::joined_with_a_hole) fill_holes(who, part);
  const auto whole = joiner_.add(who, std::move(part), io::joiner::clock::time_point(loop_.now()));
  if (whole) arrives(*whole);
}

/// The planted fault: with the last part a message is taken to be there, whatever of it is missing.
void wire::fill_holes(std::uint64_t receiver, const io::message& last) {
  const std::string count(last.header(io::split_count_header));
  if (std::to_string(std::stoul(std::string(last.header(io::split_index_header))) + 1) != count) return;
  for (unsigned long i = 0; i + 1 < std::stoul(count); ++i) {
    io::message empty;
    empty.headers = {{std::string(io::split_id_header), std::string(last.header(io::split_id_header))},
                     {std::string(io::split_index_header), std::to_string(i)},
                     {std::string(io::split_count_header), count}};
    joiner_.add(receiver, std::move(empty), io::joiner::clock::time_point(loop_.now()));
  }
}

}  // namespace throughline::simulation
