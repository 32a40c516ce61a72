#include "common/ops/metrics.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

using namespace throughline::ops;

namespace {

bool has_line(const metrics_registry& of, const std::string& line) {
  return ("\n" + of.render()).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("counters, gauges and histograms are rendered with their labels") {
  metrics_registry all;
  const auto frames = all.make_counter("throughline_frames_total", "Frames.", {{"way", "in"}});
  const auto sockets = all.make_gauge("throughline_sockets", "Sockets.");
  const auto commit = all.make_histogram("throughline_commit_seconds", "Commits.", {0.01, 0.1});
  frames.add();
  frames.add(2);
  sockets.set(5);
  sockets.add(-2);
  commit.observe(0.05);
  commit.observe(5);
  CHECK(has_line(all, "# HELP throughline_frames_total Frames."));
  CHECK(has_line(all, "throughline_frames_total{way=\"in\"} 3"));
  CHECK(has_line(all, "throughline_sockets 3"));
  CHECK(has_line(all, "throughline_commit_seconds_bucket{le=\"0.01\"} 0"));
  CHECK(has_line(all, "throughline_commit_seconds_bucket{le=\"0.1\"} 1"));
  CHECK(has_line(all, "throughline_commit_seconds_count 2"));
}

TEST_CASE("the same name and labels are the same metric; other labels another") {
  metrics_registry all;
  all.make_counter("c_total", "C.", {{"kind", "a"}}).add();
  all.make_counter("c_total", "C.", {{"kind", "a"}}).add();
  all.make_counter("c_total", "C.", {{"kind", "b"}}).add();
  CHECK(has_line(all, "c_total{kind=\"a\"} 2"));
  CHECK(has_line(all, "c_total{kind=\"b\"} 1"));
}

TEST_CASE("mistakes show at start-up") {
  metrics_registry all;
  CHECK_THROWS_AS(all.make_counter("not a name", "C."), std::invalid_argument);
  CHECK_THROWS_AS(all.make_counter("c_total", "C.", {{"not-a-label", "x"}}), std::invalid_argument);
  all.make_counter("twice", "C.");
  CHECK_THROWS_AS(all.make_gauge("twice", "G."), std::invalid_argument);
}

TEST_CASE("a gauge is refreshed before each rendering") {
  metrics_registry all;
  const auto depth = all.make_gauge("depth", "D.");
  int scrapes = 0;
  all.before_scrape([&] { depth.set(++scrapes); });
  CHECK(has_line(all, "depth 1"));
  CHECK(has_line(all, "depth 2"));
}
