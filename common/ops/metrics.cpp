#include "common/ops/metrics.hpp"

#include <map>
#include <mutex>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace throughline::ops {

void counter::add(double n) const {
  of_->Increment(n);
}
void gauge::set(double value) const {
  of_->Set(value);
}
void gauge::add(double n) const {
  of_->Increment(n);
}
void histogram::observe(double value) const {
  of_->Observe(value);
}

struct metrics_registry::state {
  prometheus::Registry registry;
  mutable std::mutex guard;  // of the callbacks
  std::vector<std::function<void()>> before_scrape;
};

namespace {

prometheus::Labels as_map(const metric_labels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

metrics_registry::metrics_registry() : state_(std::make_unique<state>()) {}
metrics_registry::~metrics_registry() = default;

// A family that exists already is given again by Register, and so is a metric by Add.
counter metrics_registry::make_counter(const std::string& name, const std::string& help, const metric_labels& labels) {
  return counter(prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry).Add(as_map(labels)));
}

gauge metrics_registry::make_gauge(const std::string& name, const std::string& help, const metric_labels& labels) {
  return gauge(prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry).Add(as_map(labels)));
}

histogram metrics_registry::make_histogram(const std::string& name, const std::string& help,
                                           const std::vector<double>& bounds, const metric_labels& labels) {
  return histogram(
      prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry).Add(as_map(labels), bounds));
}

void metrics_registry::before_scrape(std::function<void()> refresh) {
  const std::scoped_lock lock(state_->guard);
  state_->before_scrape.push_back(std::move(refresh));
}

std::string metrics_registry::render() const {
  std::vector<std::function<void()>> refreshers;
  {
    const std::scoped_lock lock(state_->guard);
    refreshers = state_->before_scrape;
  }
  for (const auto& refresh : refreshers) refresh();
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

std::vector<double> latency_bounds() {
  return {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
}

}  // namespace throughline::ops
