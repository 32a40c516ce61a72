#pragma once
// Messages above what one NATS message may hold are sent as parts and joined on receipt (design 3.8). Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/io/nats/message.hpp"

namespace throughline::io {

/// Headers of a part. The message's own headers are on part 0 only.
inline constexpr std::string_view split_id_header = "Tl-Split-Id";
inline constexpr std::string_view split_index_header = "Tl-Split-Index";
inline constexpr std::string_view split_count_header = "Tl-Split-Count";

/// Longest part, and longest message that is not split: headers and body, bytes.
std::size_t split_limit(std::size_t max_payload);
/// Bytes that a message takes of `max_payload`.
std::size_t wire_size(const message_headers& headers, std::string_view body);
/// Most bytes of a message in all; a joiner holds no more. A full state at its largest: a turn of 32 MiB whose text is
/// there twice (whole, and by entries), a hundred queued prompts of 1 MiB, and each byte of them escaped as two.
inline constexpr std::size_t join_bytes_max = 384u << 20;

/// One part: its headers, and its bytes of the body that was split.
struct message_part {
  message_headers headers;
  std::string_view body;
};
/// Cuts `body`, which must outlive the parts. Empty when the headers alone leave no room (more than half of `limit`).
std::vector<message_part> split(const message_headers& headers, std::string_view body, std::size_t limit,
                                const std::string& id);

/// Puts parts together, in any order and with repeats. Bounded: the oldest sets are dropped to stay within
/// its bound, and any set whose parts did not all arrive within `join_age_max` of its first.
class joiner {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds join_age_max{5};
  /// Most parts of one message: `join_bytes_max` in parts of at least 16 KiB.
  static constexpr std::uint32_t parts_max = join_bytes_max / (16u << 10);

  explicit joiner(std::size_t bytes_max = join_bytes_max) : bytes_max_(bytes_max) {}

  static bool is_part(const message& m);

  /// `receiver` tells subscriptions apart that get copies of the same parts. The whole message when `part` was the
  /// last one missing; a part with malformed headers is dropped and counted.
  std::optional<message> add(std::uint64_t receiver, message part, clock::time_point now);
  void expire(clock::time_point now);
  void forget(std::uint64_t receiver);

  std::size_t bytes() const { return bytes_; }
  std::size_t sets() const { return sets_.size(); }
  std::uint64_t dropped() const { return dropped_; }  ///< sets and malformed parts

 private:
  using key = std::pair<std::uint64_t, std::string>;
  struct set {
    key name;
    clock::time_point first_at;
    message whole;  ///< subject, reply, and the headers of part 0
    std::vector<std::optional<std::string>> bodies;
    std::size_t missing = 0;
    std::size_t bytes = 0;
  };
  using set_list = std::list<set>;  // oldest first

  void drop(set_list::iterator which);
  void erase(set_list::iterator which);
  static message assemble(set& of);

  std::size_t bytes_max_;
  set_list sets_;
  std::map<key, set_list::iterator> by_key_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace throughline::io
