#pragma once
// A scenario file: input lines, and below each what is expected of it.
//
//   # comment                     kept as it is
//   post alice "hello" id=p1      an input, at the start of the line
//   > say t1 1 "Hi"               more of the same input (a frame of a hand-over)
//     reply 202 ...               expected, indented by two spaces

#include <string>
#include <string_view>
#include <vector>

namespace throughline::tests {

/// An input: its words (quotes taken off), `key=value` words, and the frames below it.
struct line {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> options;

  const std::string& word(std::size_t i) const;  ///< throws std::runtime_error when it is not there
  std::string option(std::string_view key, std::string_view otherwise = {}) const;
  bool has(std::string_view key) const;
};

struct act {
  std::vector<std::string> before;  ///< comments and blank lines
  std::vector<std::string> source;  ///< the input as written
  line input;
  std::vector<line> frames;
  std::vector<std::string> expected;
};

struct story {
  std::vector<act> acts;
  std::vector<std::string> rest;  ///< comments at the end
};

line parse_line(std::string_view text);
story parse_story(std::string_view text);
/// The file again, with `got[i]` below act i.
std::string write_story(const story& s, const std::vector<std::vector<std::string>>& got);

}  // namespace throughline::tests
