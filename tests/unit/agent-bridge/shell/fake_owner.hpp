#pragma once
// A state-sync of a few lines: knows tokens, applies hand-overs in number order, remembers what it was asked. It
// commits nothing and forgets nothing, also while NATS is away.

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/digest.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/delta/text.hpp"
#include "common/io/nats/nats_link.hpp"

namespace throughline::testing {

class fake_owner {
 public:
  struct known_attachment {
    session_id session;
    bridge_id bridge;
    std::uint64_t cursor = 0;
    std::map<std::string, std::string> entries;
    std::vector<std::string> others;  ///< names of other events, in order
    std::optional<std::uint64_t> detached;
    std::optional<std::uint64_t> sealed;
    std::optional<std::string> instance;
    int renewals = 0;
  };

  explicit fake_owner(const std::string& url) : link_({.urls = url, .name = "fake-owner"}) {
    const auto handler = [this](io::message asked) { take(asked); };
    reads_ = link_.subscribe(std::string(codec::read_subject), std::string(codec::read_group), handler);
    requests_ = link_.subscribe("tl1.in.*", "", handler);
    link_.start();
  }
  ~fake_owner() { link_.stop(); }

  bool connected() const { return link_.connected(); }
  void allow(const std::string& token, const session_id& session) {
    const std::lock_guard lock(guard_);
    tokens_[codec::sha256_hex(token)] = session.text();
  }
  void refuse_next_attach(attach_refused how) {
    const std::lock_guard lock(guard_);
    refusal_ = std::move(how);
  }
  /// From now on it hears and says nothing.
  void fall_silent(bool silent = true) {
    const std::lock_guard lock(guard_);
    silent_ = silent;
  }
  /// How far an instance is committed.
  std::uint64_t committed(const std::string& instance) const {
    const std::lock_guard lock(guard_);
    const auto at = instances_.find(instance);
    return at == instances_.end() ? 0 : at->second;
  }
  int renewal_messages() const {
    const std::lock_guard lock(guard_);
    return renewal_messages_;
  }
  void forget(const attachment_id& which) {
    const std::lock_guard lock(guard_);
    attachments_.erase(which);
  }

  /// The attachments so far, oldest first.
  std::vector<std::pair<attachment_id, known_attachment>> attachments() const {
    const std::lock_guard lock(guard_);
    return {attachments_.begin(), attachments_.end()};
  }

  /// Empty: no answer.
  std::optional<order_outcome> order(const bridge_id& bridge, const bridge_order& what, std::uint64_t epoch = 1) {
    std::mutex waiting;
    waiting.lock();
    std::optional<order_outcome> outcome;
    auto handle = link_.request({.subject = codec::bridge_subject(bridge), .direct = {}}, {},
                                codec::encode(what, epoch), millis(2'000), [&](const result<io::message>& answer) {
                                  if (answer) outcome = codec::decode_outcome(answer->body).value();
                                  waiting.unlock();
                                });
    waiting.lock();
    waiting.unlock();
    return outcome;
  }

 private:
  void take(const io::message& asked) {
    const auto request = codec::decode_request(asked.body);
    if (!request) return;
    const std::lock_guard lock(guard_);
    if (silent_) return;
    if (const auto* read = std::get_if<read_request>(&request->what)) {
      const auto token = tokens_.find(std::get<find_agent_token>(*read).token_hash);
      const reading found = token == tokens_.end() ? owner_reading{} : owner_reading{true, token->second};
      (void)link_.respond(asked, {}, codec::encode(found, 1));
      return;
    }
    if (const auto* all = std::get_if<renew>(&request->what)) {
      (void)link_.respond(asked, {}, codec::encode(on(*all), 1));
      return;
    }
    const auto answer =
        std::visit([this](const auto& one) { return on(one); }, std::get<session_request>(request->what));
    (void)link_.respond(asked, {}, codec::encode(answer, 1));
  }

  reply on(const attach& a) {
    if (refusal_) return *std::exchange(refusal_, std::nullopt);
    attachments_.try_emplace(
        a.attachment,
        known_attachment{
            .session = a.session, .bridge = a.bridge, .entries = {}, .others = {}, .instance = a.instance});
    return attached{a.session, attachments_.size(), a.instance ? instances_[*a.instance] : 0};
  }
  reply on(const renew& r) {
    ++renewal_messages_;
    renewed all;
    for (const auto& one : r.attachments) {
      const auto at = attachments_.find(one.attachment);
      if (at == attachments_.end()) {
        all.except.push_back({one.attachment, renewal_fault::unknown});
      } else {
        ++at->second.renewals;
      }
    }
    return all;
  }
  reply on(const detach& d) {
    const auto at = attachments_.find(d.attachment);
    if (at == attachments_.end()) return noted{.known = false};
    at->second.detached = d.last_number;
    return noted{};
  }
  reply on(const seal& s) {
    attachments_.at(s.attachment).sealed = s.last_number;
    return noted{};
  }
  reply on(const hand_over& h) {
    const auto at = attachments_.find(h.attachment);
    if (at == attachments_.end()) return hand_over_result{hand_over_status::unknown, 0, ""};
    auto& known = at->second;
    known.cursor = std::max(known.cursor, h.acknowledged);
    for (const auto& frame : h.frames) {
      if (frame.number <= known.cursor) continue;
      if (frame.number > known.cursor + 1) {
        return hand_over_result{hand_over_status::expected, known.cursor + 1, ""};
      }
      if (const auto* message = frame.event ? std::get_if<agent::message_added>(&*frame.event) : nullptr) {
        auto& content = known.entries[message->message.text()];
        auto next = delta::apply(content, delta::hash_of(content), message->content);
        if (!next) return hand_over_result{hand_over_status::need_full, frame.number, ""};
        content = *next;
      } else if (frame.event) {
        known.others.push_back(std::holds_alternative<agent::message_completed>(*frame.event) ? "completed" : "other");
      }
      known.cursor = frame.number;
      if (known.instance) instances_[*known.instance] = std::max(instances_[*known.instance], frame.agent_seq);
    }
    return hand_over_result{hand_over_status::applied, known.cursor, ""};
  }
  template <class Other>
  reply on(const Other&) {
    return deferred{};
  }

  mutable std::mutex guard_;
  std::map<std::string, std::string> tokens_;
  std::map<attachment_id, known_attachment> attachments_;  // ids are ULIDs: in order of time
  std::map<std::string, std::uint64_t> instances_;
  bool silent_ = false;
  int renewal_messages_ = 0;
  std::optional<attach_refused> refusal_;
  io::nats_link link_;
  io::subscription reads_;
  io::subscription requests_;
};

}  // namespace throughline::testing
