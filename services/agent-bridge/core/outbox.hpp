#pragma once
// What an attachment's agent said and the database does not hold yet: numbered, in order, bounded, and small on the
// wire, because an entry travels as its change (design 3.9, 3.10). Pure.
//
// The newest frame stays open until it is sent or another follows: until then an update of the same entry replaces it,
// and its content is whole. A frame that was sent keeps its bytes, except where the owner asks for a full content.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/id.hpp"
#include "common/model/agent_event.hpp"
#include "common/model/request.hpp"

namespace throughline::agent_bridge {

struct outbox_limits {
  std::size_t bytes_max = 8u << 20;  ///< then the socket is not read (design 7)
  std::size_t frames_max = 4096;
  std::size_t base_bytes_max = 32u << 20;  ///< contents kept to make deltas from; above it, entries travel whole
  std::size_t batch_bytes_max = 512u << 10;
  std::size_t batch_frames_max = 1024;
};

class outbox {
 public:
  explicit outbox(outbox_limits limits = {}) : limits_(limits) {}

  /// Takes an event as decoded (content whole). True when it replaced the open frame instead of getting a number.
  /// `agent_seq`: a v2 agent's own number of it.
  bool add(agent_event event, std::uint64_t agent_seq = 0);
  /// A frame of a v2 agent that has no effect: its number goes with the newest frame, if that was never sent.
  void add_number(std::uint64_t agent_seq);

  bool full() const { return bytes_ >= limits_.bytes_max || frames_.size() >= limits_.frames_max; }
  bool empty() const { return frames_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t frames() const { return frames_.size(); }
  std::size_t base_bytes() const { return base_bytes_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t acknowledged_agent_seq() const { return acknowledged_agent_seq_; }  ///< 0: none of this outbox
  std::uint64_t sent() const { return sent_; }                ///< the highest number ever in a batch
  std::uint64_t last_number() const { return last_number_; }  ///< the highest given

  /// The frames after the acknowledged ones, up to the bounds of a batch but at least one. They count as sent.
  std::vector<numbered_frame> batch();

  /// Everything up to `number` is committed. False, and nothing changes, for a number below what is acknowledged or
  /// above what was sent: such an answer is not about this outbox as it is.
  bool acknowledge(std::uint64_t number);

  /// The owner lacks the base of `number`: that frame becomes its entry's newest content in full, later changes of the
  /// entry become empty, but for the last, which becomes whole as well: where an owner has applied some of the old
  /// frames after all, the rest still leads to the same content. False when there is no such frame.
  bool need_full(std::uint64_t number);

  void drop_all();  ///< nobody will take them any more

 private:
  using entry_key = std::tuple<thread_id, message_id, request_id>;
  struct frame {
    numbered_frame what;
    std::size_t cost = 0;
  };
  struct base {
    std::string content;
    std::uint64_t hash = 0;
    std::uint64_t last_number = 0;  ///< of the frame that led to it; not evicted while that is unacknowledged
    std::list<entry_key>::iterator used;
  };

  bool merge(agent::message_added& update, std::uint64_t agent_seq);
  void close_open();
  void keep_base(const entry_key& key, frame& of, std::string content, std::uint64_t hash);
  void erase_base(const entry_key& key);
  void make_room(std::size_t wanted);
  void account(frame& of);
  static const agent::message_added* message_of(const frame& of);
  static entry_key key_of(const agent::message_added& message);

  outbox_limits limits_;
  std::deque<frame> frames_;
  bool open_ = false;  ///< the last frame's content is whole and not a delta yet
  std::size_t bytes_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t acknowledged_agent_seq_ = 0;
  std::map<entry_key, base> bases_;
  std::list<entry_key> order_;  ///< of use, oldest first
  std::size_t base_bytes_ = 0;
};

}  // namespace throughline::agent_bridge
