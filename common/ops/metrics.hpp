#pragma once
// Metrics in Prometheus' text format. A service's `probe` holds the handles and offers verbs on top; handles are plain
// values, valid as long as the registry, and callable from any thread.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace throughline::ops {

class counter {
 public:
  void add(double n = 1) const;

 private:
  friend class metrics_registry;
  explicit counter(prometheus::Counter& of) : of_(&of) {}
  prometheus::Counter* of_;
};

class gauge {
 public:
  void set(double value) const;
  void add(double n) const;  ///< negative n takes away

 private:
  friend class metrics_registry;
  explicit gauge(prometheus::Gauge& of) : of_(&of) {}
  prometheus::Gauge* of_;
};

class histogram {
 public:
  void observe(double value) const;

 private:
  friend class metrics_registry;
  explicit histogram(prometheus::Histogram& of) : of_(&of) {}
  prometheus::Histogram* of_;
};

using metric_labels = std::vector<std::pair<std::string, std::string>>;

class metrics_registry {
 public:
  metrics_registry();
  ~metrics_registry();
  metrics_registry(const metrics_registry&) = delete;
  metrics_registry& operator=(const metrics_registry&) = delete;

  /// The metric of that name and those labels; the same one when asked again. Throws std::invalid_argument on a name or
  /// label that Prometheus does not allow, and on a name that is already of another kind (start-up mistakes).
  counter make_counter(const std::string& name, const std::string& help, const metric_labels& labels = {});
  gauge make_gauge(const std::string& name, const std::string& help, const metric_labels& labels = {});
  /// `bounds`: ascending upper bounds of the buckets, e.g. `latency_bounds()`. Those of the first call with that name
  /// and those labels hold.
  histogram make_histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                           const metric_labels& labels = {});

  /// Called before each rendering, on the thread that renders: for gauges whose truth lies elsewhere.
  void before_scrape(std::function<void()> refresh);

  std::string render() const;  ///< text exposition format 0.0.4

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// 1 ms to 10 s, in seconds.
std::vector<double> latency_bounds();

}  // namespace throughline::ops
