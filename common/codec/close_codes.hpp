#pragma once
// WebSocket close codes of design 5.4 and 5.5.

#include <cstdint>

namespace throughline::codec::close_code {

inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;  ///< drain
inline constexpr std::uint16_t invalid_utf8 = 1007;
inline constexpr std::uint16_t policy = 1008;      ///< too many bad frames, a v2 gap, a revoked agent token
inline constexpr std::uint16_t too_big = 1009;     ///< a frame above MAX_FRAME
inline constexpr std::uint16_t superseded = 4001;  ///< agent: a newer socket of the same session
inline constexpr std::uint16_t bad_request = 4400;
inline constexpr std::uint16_t unauthorized = 4401;  ///< user: token expired or revoked
inline constexpr std::uint16_t not_found = 4404;     ///< gone or no longer visible
inline constexpr std::uint16_t too_many = 4429;
inline constexpr std::uint16_t try_again_later = 4503;

}  // namespace throughline::codec::close_code
