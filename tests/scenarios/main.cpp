// scenarios [--rewrite] FILE...: runs each story and compares what happens with what it says; with --rewrite writes
// what happens into the file.
// scenarios --random FIRST COUNT: runs that many stories made by chance, for what must always hold; a story that fails
// is printed, up to the input that failed.

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "services/state-sync/core/session_core.hpp"
#include "tests/scenarios/random_story.hpp"
#include "tests/scenarios/story.hpp"
#include "tests/scenarios/world.hpp"

namespace {

using throughline::tests::act;
using throughline::tests::story;

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> outcome(throughline::tests::world& w, const act& a) {
  try {
    return w.run(a);
  } catch (const throughline::state_sync::broken_invariant& broken) {
    return {"BROKEN INVARIANT " + broken.what};
  } catch (const std::exception& fault) {
    return {"FAULT " + std::string(fault.what())};
  }
}

bool is_fault(const std::vector<std::string>& rows) {
  return !rows.empty() && (rows.front().starts_with("FAULT") || rows.front().starts_with("BROKEN"));
}

void show(const char* sign, const std::vector<std::string>& rows) {
  for (const auto& row : rows) std::printf("    %s %s\n", sign, row.c_str());
}

/// True when all went as told.
bool run(const std::string& path, bool rewrite) {
  const auto text = read(path);
  const auto told = throughline::tests::parse_story(text);
  throughline::tests::world w;
  std::vector<std::vector<std::string>> got;
  bool good = !told.acts.empty();
  for (const auto& a : told.acts) {
    got.push_back(outcome(w, a));
    if (!is_fault(got.back()) && (rewrite || got.back() == a.expected)) continue;
    good = false;
    std::printf("%s: %s\n", path.c_str(), a.source.front().c_str());
    show("expected", a.expected);
    show("got     ", got.back());
    if (!rewrite) return false;
  }
  if (rewrite) std::ofstream(path, std::ios::binary) << throughline::tests::write_story(told, got);
  return good;
}

bool run_random(std::uint64_t seed) {
  constexpr int acts = 150;
  auto told = throughline::tests::parse_story(throughline::tests::random_story(seed, acts));
  throughline::tests::world w;
  std::vector<std::vector<std::string>> got;
  for (std::size_t i = 0; i < told.acts.size(); ++i) {
    got.push_back(outcome(w, told.acts[i]));
    if (!is_fault(got.back())) continue;
    told.acts.resize(i + 1);
    std::printf("# seed %llu\n%s\n", static_cast<unsigned long long>(seed),
                throughline::tests::write_story(told, got).c_str());
    return false;
  }
  return true;
}

int report(std::uint64_t passed, std::uint64_t failed) {
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 && passed > 0 ? 0 : 1;
}

int run_many(std::uint64_t first, std::uint64_t count) {
  std::uint64_t passed = 0;
  while (passed < count && run_random(first + passed)) ++passed;
  return report(passed, passed < count ? 1 : 0);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "--random") return run_many(std::stoull(words[1]), std::stoull(words[2]));
  const bool rewrite = std::erase(words, "--rewrite") > 0;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  for (const auto& path : words) {
    try {
      ++(run(path, rewrite) ? passed : failed);
    } catch (const std::exception& fault) {
      std::printf("%s: %s\n", path.c_str(), fault.what());
      ++failed;
    }
  }
  return report(passed, failed);
}
