#pragma once
// The lives of agent sockets (design 6.2): attach, supersede and seal, gate, silence, revival.

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

inline constexpr millis seal_patience{2'000};
inline constexpr millis bridge_silence_max{15'000};
/// Rows kept per root, so that late words of an old socket are known for what they are.
inline constexpr std::uint64_t attachments_kept = 8;
/// An attach that supersedes one younger than this, for the third time within the window, is refused (design 5.5).
inline constexpr millis flap_age{10'000};
inline constexpr millis flap_window{60'000};

void on_attach(step& s, reply_token from, const attach& a);
void on_detach(step& s, reply_token from, const detach& d);
void on_seal(step& s, reply_token from, const seal& d);
void on_renewal(step& s, reply_token from, const renewal& r);
/// As `tree::renewed_as_it_is`.
bool renewed_as_it_is(tree_state& tree, const renewal& r, millis steady);

/// The attachment's socket or bridge is gone. Starts the clock of what was running on it.
void lose(step& s, attachment_row& a);
/// Its bridge is heard again, and nothing has superseded it: it is the same attachment, and nothing is in doubt.
void revive(step& s, attachment_row& a);
/// The newest attachment's gate; of any other, nothing.
void open_gate(step& s, attachment_row& a);

/// A superseded attachment whose last number has been applied, or whose bridge has had its time, is sealed.
void seal_when_done(step& s, attachment_row& a);
/// True while frames of the newest attachment must wait for those of a superseded one.
bool awaits_seal(const tree_state& tree, const attachment_row& a);

}  // namespace throughline::state_sync
