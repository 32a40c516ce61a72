#include "common/ops/log.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "common/ops/json_text.hpp"

namespace throughline::ops::log {
namespace {

/// Lines that wait for a slow reader of standard error; above it the oldest are lost.
constexpr std::size_t waiting_lines_max = 8'192;
constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warn", "error"};

struct writer {
  std::mutex guard;  // of what `configure` and `stop` change
  std::string service = "throughline";
  std::atomic<level> lowest = level::info;
  std::atomic<format> how = format::json;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> to = direct();

  static std::shared_ptr<spdlog::logger> direct() {
    return finished(std::make_shared<spdlog::logger>("log", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  }
  static std::shared_ptr<spdlog::logger> finished(std::shared_ptr<spdlog::logger> made) {
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    return made;
  }
};

writer& the_writer() {
  static auto& only = *new writer;  // threads may log until the very end
  return only;
}

std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

void append_value(std::string& to, const value& what) {
  std::visit(
      [&](const auto& v) {
        using kind = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<kind, std::string_view>) {
          append_quoted(to, v);
        } else if constexpr (std::is_same_v<kind, double>) {
          to += std::isfinite(v) ? fmt::to_string(v) : "null";
        } else {
          to += fmt::to_string(v);
        }
      },
      what.get());
}

std::string render_json(std::string_view service, level how_bad, std::string_view event, fields with) {
  std::string line = "{";
  const auto member = [&](std::string_view key, const value& what) {
    if (line.size() > 1) line += ',';
    append_quoted(line, key);
    line += ':';
    append_value(line, what);
  };
  member("time", time_text());
  member("level", level_names[static_cast<std::size_t>(how_bad)]);
  member("service", service);
  member("event", event);
  for (const auto& [key, what] : with) member(key, what);
  return line + "}";
}

/// For people; a line stays a line, and a value with blanks is quoted.
std::string render_text(std::string_view service, level how_bad, std::string_view event, fields with) {
  auto line = fmt::format("{} {:5} {} {}", time_text(), level_names[static_cast<std::size_t>(how_bad)], service, event);
  for (const auto& [key, what] : with) {
    line += fmt::format(" {}=", key);
    const auto* text = std::get_if<std::string_view>(&what.get());
    const bool plain =
        text != nullptr && !text->empty() && text->find_first_of(" \"\\\r\n\t") == std::string_view::npos;
    if (plain) {
      line += *text;
    } else {
      append_value(line, what);
    }
  }
  return line;
}

}  // namespace

level level_of(std::string_view name) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (level_names[i] == name) return static_cast<level>(i);
  }
  return level::info;
}

format format_of(std::string_view name) {
  return name == "text" ? format::text : format::json;
}

void configure(std::string_view service, level lowest, format how) {
  auto& w = the_writer();
  const std::scoped_lock lock(w.guard);
  w.service = service;
  w.lowest = lowest;
  w.how = how;
  if (w.pool) return;
  w.pool = std::make_shared<spdlog::details::thread_pool>(waiting_lines_max, 1);
  w.to = writer::finished(std::make_shared<spdlog::async_logger>(
      "log", std::make_shared<spdlog::sinks::stderr_sink_mt>(), w.pool, spdlog::async_overflow_policy::overrun_oldest));
  std::atexit(stop);
}

void stop() {
  auto& w = the_writer();
  std::shared_ptr<spdlog::details::thread_pool> pool;
  {
    const std::scoped_lock lock(w.guard);
    if (!w.pool) return;
    pool.swap(w.pool);
    w.to = writer::direct();
  }
  pool.reset();  // writes what waits, then joins
}

std::string render(std::string_view service, level how_bad, format how, std::string_view event, fields with) {
  return how == format::json ? render_json(service, how_bad, event, with) : render_text(service, how_bad, event, with);
}

void write(level how_bad, std::string_view event, fields with) {
  auto& w = the_writer();
  if (how_bad < w.lowest) return;
  std::shared_ptr<spdlog::logger> to;
  std::string service;
  {
    const std::scoped_lock lock(w.guard);
    to = w.to;
    service = w.service;
  }
  to->info(spdlog::string_view_t(render(service, how_bad, w.how, event, with)));
}

}  // namespace throughline::ops::log
