#pragma once
// Short names for made ids in printed stories: int_01h... is int-1, the first one seen; and back.

#include <map>
#include <string>
#include <string_view>

namespace throughline::tests {

class names {
 public:
  /// Every made id in `text` by its short name.
  std::string shorten(std::string_view text);
  void name(const std::string& id, const std::string& as);
  /// The id behind a short name; the word itself when it is none.
  std::string lengthen(const std::string& word) const;

 private:
  std::map<std::string, std::string> short_;
  std::map<std::string, std::string> long_;
  std::map<std::string, int> counts_;
};

}  // namespace throughline::tests
