#include "tests/scenarios/story.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace throughline::tests {
namespace {

/// A quoted word knows \n and \"; \x stands for itself otherwise.
std::string take_quoted(std::string_view& text) {
  std::string out;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) {
      text.remove_prefix(1);
      out += text.front() == 'n' ? '\n' : text.front();
    } else {
      out += text.front();
    }
    text.remove_prefix(1);
  }
  if (text.empty()) throw std::runtime_error("a quote is not closed");
  text.remove_prefix(1);
  return out;
}

std::string take_plain(std::string_view& text, std::string_view ends) {
  const auto size = std::min(text.find_first_of(ends), text.size());
  std::string out(text.substr(0, size));
  text.remove_prefix(size);
  return out;
}

}  // namespace

const std::string& line::word(std::size_t i) const {
  if (i >= words.size()) throw std::runtime_error("word " + std::to_string(i) + " is missing");
  return words[i];
}

std::string line::option(std::string_view key, std::string_view otherwise) const {
  for (const auto& [k, v] : options) {
    if (k == key) return v;
  }
  return std::string(otherwise);
}

bool line::has(std::string_view key) const {
  for (const auto& [k, v] : options) {
    if (k == key) return true;
  }
  return false;
}

line parse_line(std::string_view text) {
  line out;
  while (true) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    if (text.empty()) return out;
    if (text.front() == '"') {
      out.words.push_back(take_quoted(text));
      continue;
    }
    auto word = take_plain(text, " =");
    if (text.empty() || text.front() == ' ') {
      out.words.push_back(std::move(word));
      continue;
    }
    text.remove_prefix(1);
    const bool quoted = !text.empty() && text.front() == '"';
    out.options.emplace_back(std::move(word), quoted ? take_quoted(text) : take_plain(text, " "));
  }
}

story parse_story(std::string_view text) {
  story out;
  std::istringstream in{std::string(text)};
  std::vector<std::string> before;
  for (std::string row; std::getline(in, row);) {
    if (row.starts_with("  ")) {
      if (out.acts.empty()) throw std::runtime_error("an expectation before any input");
      out.acts.back().expected.push_back(row.substr(2));
    } else if (row.empty() || row.front() == '#') {
      before.push_back(row);
    } else if (row.front() == '>') {
      if (out.acts.empty()) throw std::runtime_error("a frame before any input");
      out.acts.back().source.push_back(row);
      out.acts.back().frames.push_back(parse_line(std::string_view(row).substr(1)));
    } else {
      out.acts.push_back({.before = std::exchange(before, {}), .source = {row}, .input = parse_line(row)});
    }
  }
  out.rest = std::move(before);
  return out;
}

std::string write_story(const story& s, const std::vector<std::vector<std::string>>& got) {
  std::string out;
  const auto put = [&](std::string_view indent, const std::vector<std::string>& rows) {
    for (const auto& row : rows) out.append(indent).append(row).append(1, '\n');
  };
  for (std::size_t i = 0; i < s.acts.size(); ++i) {
    put("", s.acts[i].before);
    put("", s.acts[i].source);
    put("  ", i < got.size() ? got[i] : s.acts[i].expected);
  }
  put("", s.rest);
  return out;
}

}  // namespace throughline::tests
