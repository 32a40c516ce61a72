// simulation --seeds A..B            runs these seeds
// simulation --seed N [--trace]      one seed again, and what happened in it
// simulation --planted NAME ...      the same without one guard: fails when a check finds it
// simulation --plants A..B           every planted fault must be found within these seeds
// The last line is `N passed, N failed`.

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/violation.hpp"
#include "tests/simulation/world.hpp"

namespace {

using namespace throughline::simulation;

struct range {
  std::uint64_t first = 1;
  std::uint64_t last = 3'000;
};

std::optional<violation> run(const world::settings& how) {
  try {
    world(how).run();
  } catch (const violation& found) {
    return found;
  }
  return std::nullopt;
}

void show(std::uint64_t seed, const violation& v) {
  std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(seed), v.check.c_str(), v.what());
}

int report(std::uint64_t passed, std::uint64_t failed) {
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 && passed > 0 ? 0 : 1;
}

int run_seeds(const range& seeds, plant planted, bool trace) {
  constexpr std::uint64_t shown_max = 10;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  for (auto seed = seeds.first; seed <= seeds.last; ++seed) {
    const auto found = run({seed, planted, trace});
    ++(found ? failed : passed);
    if (found && failed <= shown_max) show(seed, *found);
  }
  return report(passed, failed);
}

/// Each guard turned off in turn: one line each with what found it.
int run_plants(const range& seeds) {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  for (std::size_t p = 1; p < plant_names.size(); ++p) {
    std::optional<violation> found;
    auto seed = seeds.first;
    for (; seed <= seeds.last && !found; ++seed) {
      found = run({seed, static_cast<plant>(p), false});
      // The guard must be what makes the difference.
      if (found && run({seed, plant::none, false})) found.reset();
    }
    ++(found ? passed : failed);
    std::printf("%-24s %s after %llu seeds\n", std::string(plant_names[p]).c_str(),
                found ? ("found by " + found->check).c_str() : "NOT FOUND",
                static_cast<unsigned long long>(seed - seeds.first));
  }
  return report(passed, failed);
}

std::optional<range> range_of(const std::string& text) {
  const auto dots = text.find("..");
  if (dots == std::string::npos) return std::nullopt;
  return range{std::stoull(text.substr(0, dots)), std::stoull(text.substr(dots + 2))};
}

int usage() {
  std::fputs("simulation [--seeds A..B | --seed N [--trace]] [--planted NAME] | --plants A..B\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool trace = std::erase(words, "--trace") > 0;
  range seeds;
  auto planted = plant::none;
  if (words.size() % 2 != 0) return usage();
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const auto& value = words[i + 1];
    if (words[i] == "--seed") {
      seeds.first = seeds.last = std::stoull(value);
    } else if (words[i] == "--seeds" || words[i] == "--plants") {
      const auto given = range_of(value);
      if (!given) return usage();
      seeds = *given;
      if (words[i] == "--plants") return run_plants(seeds);
    } else if (const auto named = plant_named(value); words[i] == "--planted" && named) {
      planted = *named;
    } else {
      return usage();
    }
  }
  return run_seeds(seeds, planted, trace);
}
