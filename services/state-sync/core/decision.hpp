#pragma once
// What the session core answers: rows to commit, and what may happen once they are. The order persist, publish,
// acknowledge is in the types: `consequences` cannot be read without a `commit_receipt`, which only a committed
// transaction makes (G1).

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "services/state-sync/core/input.hpp"
#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

/// Proof that the transaction which holds a decision's changes has committed, or that it had nothing to commit and its
/// session was read under a row lock (a refusal is as binding as an acknowledgement, 3.5). Made by the store only.
class commit_receipt {
 private:
  friend class store;
  friend class receipt_for_tests;
  commit_receipt() = default;
};

/// To the bridge that holds the attachment; repeated by the shell until answered or replaced (6.3).
struct order {
  bridge_id to;
  session_id session;
  bridge_order what;
};
struct reply_to {
  reply_token to = 0;
  reply what;
};
/// To gateways that watch a session: read access again, or close (3.7).
struct notice {
  enum class kind { access_changed, deleted } what = kind::access_changed;
  session_id session;
};

struct consequences {
  std::vector<order> orders;
  std::vector<reply_to> replies;
  std::vector<notice> notices;
  std::uint32_t frames_ignored = 0;  ///< of threads that are unknown or retired (6.1): for the metrics
};

class decision {
 public:
  changes writes;

  /// For the core, while it decides.
  consequences& later() { return later_; }
  void again() { again_ = true; }

  /// For the shell: commit this, then decide the same input again; it has no reply yet.
  bool is_unfinished() const { return again_; }
  /// For the shell, once committed. Events are published from `writes.events` before these are carried out.
  consequences&& after(const commit_receipt&) && { return std::move(later_); }

 private:
  consequences later_;
  bool again_ = false;
};

}  // namespace throughline::state_sync
