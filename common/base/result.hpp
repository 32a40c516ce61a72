#pragma once
// Expected failures are values. `error.code` is the snake_case code a caller (or a user) can act on, `message` is for
// people.

#include <expected>
#include <string>
#include <utility>

namespace throughline {

struct error {
  std::string code;
  std::string message;
};

template <class T>
using result = std::expected<T, error>;

inline std::unexpected<error> fail(std::string code, std::string message) {
  return std::unexpected(error{std::move(code), std::move(message)});
}

}  // namespace throughline
