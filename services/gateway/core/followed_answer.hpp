#pragma once
// One waiter for one answer over HTTP (design 5.3.1): which chunks it gets, as values. Readings and committed events
// in, chunks out. What a stream writes of them, and what a blocking call answers, is up to the shell. One thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/chat_answers.hpp"
#include "common/model/reply.hpp"

namespace throughline::gateway {

/// Where the visible text of an answer ends: what an event must start from to be an append.
class text_end {
 public:
  /// Before the first entry.
  static text_end none();
  /// Nothing is known yet.
  static text_end unknown() { return {}; }
  static text_end of(const std::vector<entry>& entries);

  /// Takes one event in. Gives what it adds to the text, when all it does is to append to the newest entry, or to open
  /// one, and that is `text`.
  std::optional<std::string> take(const patch_set& set);
  bool is_known() const { return count_ && newest_; }
  /// Whether the event may cut the list: no patch tells of an entry that is gone.
  bool may_shorten(const patch_set& set) const { return !count_ || set.entry_count < *count_; }

 private:
  std::optional<std::size_t> count_;
  std::optional<std::size_t> newest_;  ///< UTF-16 units of the newest entry
};

/// An interaction as a read found it at `head`.
struct answer_reading {
  position head;
  std::shared_ptr<const interaction> record;  ///< null: it has not begun, or was cancelled in the queue
  turn_place place;
};

struct answer_chunk {
  enum class kind {
    reset,    ///< the opening one: all there is so far
    resumed,  ///< the opening one: it goes on after `at`
    part,
    finished,
    failed
  };
  kind what = kind::part;
  position at;
  std::optional<std::string> content;
  std::string patch_list;                     ///< JSON; empty: none
  std::optional<std::size_t> entry_count;     ///< part: the list may have become shorter, and is cut to it
  std::shared_ptr<const interaction> record;  ///< finished
  error why;                                  ///< failed
};
using answer_chunks = std::vector<answer_chunk>;

class followed_answer {
 public:
  explicit followed_answer(interaction_id id) : id_(std::move(id)) {}

  /// Everything anew, as of the reading. Also when a stream under way cannot be continued.
  answer_chunks restart(const answer_reading& now);
  /// Goes on after `since`, which can be resumed; `end` is the text's end there. Events follow.
  answer_chunks resume(position since, text_end end, const answer_reading& now);
  /// An event of the session; those at or below what was given are ignored.
  answer_chunks event(const codec::answer_event& e);

  bool over() const { return over_; }
  /// True since the last call iff an event other than a change of the agent's status was committed.
  bool take_progress();

 private:
  answer_chunks end(position at, const std::shared_ptr<const interaction>& record);
  void note(const answer_reading& now);
  answer_chunks session_changed(const codec::answer_event& e);

  interaction_id id_;
  position at_;
  text_end end_ = text_end::none();
  std::optional<position> queued_at_;  ///< a read found it in the queue there
  position dropped_;                   ///< the event that took it out of the queue, where that is known
  bool begun_ = false;
  bool over_ = false;
  bool progress_ = false;
  std::string agent_;
};

}  // namespace throughline::gateway
