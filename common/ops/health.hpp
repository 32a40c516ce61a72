#pragma once
// Whether the service can do its work now: named conditions, each met or with the reason why not. Any thread.

#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace throughline::ops {

class readiness {
 public:
  using reasons = std::map<std::string, std::string, std::less<>>;

  /// Conditions start unmet, with the reason `starting`.
  readiness(std::initializer_list<std::string_view> conditions);

  void met(std::string_view condition);
  /// `reason` is shown to operators: no content, no secrets.
  void unmet(std::string_view condition, std::string_view reason);

  bool ready() const;
  reasons why_not() const;  ///< condition -> reason; empty when ready

 private:
  mutable std::mutex guard_;
  reasons why_not_;
};

}  // namespace throughline::ops
