#include "common/ops/settings.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace throughline::ops {
namespace {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    auto part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace

/// What stands on the command line.
struct setting_table::given {
  std::map<std::string, std::string, std::less<>> values;
  std::set<std::string, std::less<>> flags;  ///< and settings without their value
  std::string command;
  bool help = false;
  bool version = false;
  std::vector<std::string> faults;
};

setting_table::setting_table(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {}

void setting_table::text(std::string name, setting_default fallback, std::string help) {
  declare({std::move(name), kind::text, std::move(fallback), std::move(help), {}, {}});
}
void setting_table::duration(std::string name, setting_default fallback, std::string help) {
  declare({std::move(name), kind::duration, std::move(fallback), std::move(help), {}, {}});
}
void setting_table::size(std::string name, setting_default fallback, std::string help) {
  declare({std::move(name), kind::size, std::move(fallback), std::move(help), {}, {}});
}
void setting_table::address(std::string name, setting_default fallback, std::string help) {
  declare({std::move(name), kind::address, std::move(fallback), std::move(help), {}, {}});
}
void setting_table::choice(std::string name, std::vector<std::string> choices, setting_default fallback,
                           std::string help) {
  declare({std::move(name), kind::choice, std::move(fallback), std::move(help), std::move(choices), {}});
}
void setting_table::list(std::string name, setting_default fallback, std::string help) {
  declare({std::move(name), kind::list, std::move(fallback), std::move(help), {}, {}});
}
void setting_table::flag(std::string name, std::string help, std::string command) {
  declare({std::move(name), kind::flag, {}, std::move(help), {}, std::move(command)});
}
void setting_table::command(std::string name, std::string help) {
  commands_.emplace_back(std::move(name), std::move(help));
}
void setting_table::rule(check rule) {
  rules_.push_back(std::move(rule));
}

void setting_table::above_zero(std::string name) {
  rule([name = std::move(name)](const settings& given) -> std::optional<std::string> {
    const auto& value = given.values_.at(name);
    const auto* duration = std::get_if<std::chrono::milliseconds>(&value);
    const bool is_zero = duration != nullptr ? duration->count() == 0 : std::get<std::uint64_t>(value) == 0;
    if (!is_zero) return std::nullopt;
    return fmt::format("--{} (or {}) must be above zero", name, environment_name(name));
  });
}

void setting_table::common(std::string ops_listen_default) {
  list("nats-url", "nats://127.0.0.1:4222", "NATS servers, comma list; TLS by scheme tls://");
  text("nats-creds", "", "file with NATS credentials");
  address("ops-listen", std::move(ops_listen_default), "operations port: /healthz /readyz /metrics");
  duration("drain-timeout", "25s", "from SIGTERM to exit");
  choice("log-level", {"debug", "info", "warn", "error"}, "info", "lowest level that is logged");
  choice("log-format", {"json", "text"}, "json", "text is for people");
}

void setting_table::declare(declaration d) {
  if (find(d.name) != nullptr) throw std::logic_error("setting declared twice: " + d.name);
  declarations_.push_back(std::move(d));
}

const setting_table::declaration* setting_table::find(std::string_view name) const {
  const auto found = std::ranges::find(declarations_, name, &declaration::name);
  return found == declarations_.end() ? nullptr : &*found;
}

std::string setting_table::environment_name(std::string_view name) {
  std::string twin = "THROUGHLINE_";
  for (const char c : name) twin += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return twin;
}

void setting_table::take_arguments(const std::vector<std::string>& arguments, given& out) const {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (!argument.starts_with("--")) {
      const auto known = std::ranges::any_of(commands_, [&](const auto& each) { return each.first == argument; });
      if (!known) {
        out.faults.push_back(fmt::format("unexpected argument '{}'", argument));
      } else if (!out.command.empty()) {
        out.faults.push_back(fmt::format("'{}' after '{}': one command at most", argument, out.command));
      } else {
        out.command = argument;
      }
      continue;
    }
    const auto equals = argument.find('=');
    const auto name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool bare = equals == std::string::npos;
    if (bare && name == "help") {
      out.help = true;
    } else if (bare && name == "version") {
      out.version = true;
    } else if (const auto* d = find(name); d == nullptr) {
      out.faults.push_back(fmt::format("unknown setting --{}", name));
    } else if (d->what == kind::flag) {
      if (!bare) out.faults.push_back(fmt::format("--{} takes no value", name));
      out.flags.insert(name);
    } else if (!bare) {
      out.values[name] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      out.values[name] = arguments[++i];
    } else {
      out.faults.push_back(fmt::format("--{} needs a value", name));
      out.flags.insert(name);  // one fault, not a second for its absence
    }
  }
}

std::optional<settings::value> setting_table::parse(const declaration& d, const std::string& text, std::string& fault) {
  switch (d.what) {
    case kind::text:
      return text;
    case kind::list:
      return split_list(text);
    case kind::duration:
      if (const auto parsed = parse_duration(text)) return *parsed;
      fault = "is not a duration (an integer with ms, s, m or h)";
      return std::nullopt;
    case kind::size:
      if (const auto parsed = parse_size(text)) return *parsed;
      fault = "is not a size (an integer with KiB, MiB or GiB)";
      return std::nullopt;
    case kind::address:
      if (auto parsed = parse_address(text)) return std::move(*parsed);
      fault = "is not an address (host:port)";
      return std::nullopt;
    case kind::choice:
      if (std::ranges::find(d.choices, text) != d.choices.end()) return text;
      fault = fmt::format("is none of {}", fmt::join(d.choices, ", "));
      return std::nullopt;
    case kind::flag:
      break;
  }
  return std::nullopt;
}

void setting_table::take_values(const given& in, const environment& env, settings& out,
                                std::vector<std::string>& faults) const {
  out.command_ = in.command;
  for (const auto& d : declarations_) {
    if (d.what == kind::flag) {
      const bool on = in.flags.contains(d.name);
      if (on && !d.command.empty() && d.command != in.command) {
        faults.push_back(fmt::format("--{} belongs to '{} {}'", d.name, program_, d.command));
      }
      out.values_.emplace(d.name, on);
      continue;
    }
    if (in.flags.contains(d.name)) continue;  // its value is missing, and reported
    // An empty environment variable is one that is not set: that is how compose files and manifests leave one out.
    auto from_environment = env(environment_name(d.name));
    if (from_environment && from_environment->empty()) from_environment.reset();
    const auto on_line = in.values.find(d.name);
    const bool by_flag = on_line != in.values.end();
    const auto text = by_flag ? setting_default(on_line->second) : from_environment ? from_environment : d.fallback;
    const auto where = by_flag ? "--" + d.name : environment_name(d.name);
    if (!text || (text->empty() && !d.fallback)) {
      faults.push_back(fmt::format("--{} (or {}) is required: {}", d.name, environment_name(d.name), d.help));
      continue;
    }
    std::string fault;
    if (auto parsed = parse(d, *text, fault)) {
      out.values_.emplace(d.name, std::move(*parsed));
    } else {
      faults.push_back(fmt::format("{}: '{}' {}", where, *text, fault));
    }
  }
}

setting_table::outcome setting_table::read(const std::vector<std::string>& arguments, const environment& env) const {
  given in;
  take_arguments(arguments, in);
  if (in.help) return stop{0, help_text(), {}};
  if (in.version) return stop{0, fmt::format("{} {}\n", program_, THROUGHLINE_VERSION), {}};
  settings out;
  auto faults = std::move(in.faults);
  take_values(in, env, out, faults);
  if (faults.empty()) {
    for (const auto& each : rules_) {
      if (auto fault = each(out)) faults.push_back(std::move(*fault));
    }
  }
  if (!faults.empty()) {
    for (auto& fault : faults) fault = fmt::format("{}: {}", program_, fault);
    return stop{2, {}, std::move(faults)};
  }
  return out;
}

settings setting_table::read_or_exit(int argc, char** argv) const {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  auto outcome = read(arguments, [](const std::string& name) -> std::optional<std::string> {
    const auto* value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  });
  if (const auto* what = std::get_if<stop>(&outcome)) {
    std::fputs(what->out.c_str(), stdout);
    for (const auto& fault : what->faults) std::fputs((fault + "\n").c_str(), stderr);
    std::exit(what->status);
  }
  return std::get<settings>(std::move(outcome));
}

std::string setting_table::help_text() const {
  std::string text =
      fmt::format("{}\nUsage: {}{} [--setting VALUE ...]\n", summary_, program_, commands_.empty() ? "" : " [command]");
  if (!commands_.empty()) text += "\nCommands:\n";
  for (const auto& [name, help] : commands_) text += fmt::format("  {}\n      {}\n", name, help);
  text += "\nSettings (a flag wins over its environment variable):\n";
  for (const auto& d : declarations_) {
    if (d.what == kind::flag) {
      const auto of = d.command.empty() ? std::string() : fmt::format(" (with {})", d.command);
      text += fmt::format("  --{}\n      {}{}\n", d.name, d.help, of);
      continue;
    }
    const auto fallback = !d.fallback ? "required" : d.fallback->empty() ? "default: none" : "default: " + *d.fallback;
    const auto choices = d.choices.empty() ? std::string() : fmt::format(" [{}]", fmt::join(d.choices, ", "));
    text +=
        fmt::format("  --{} VALUE, {}\n      {}{}; {}\n", d.name, environment_name(d.name), d.help, choices, fallback);
  }
  return text + "  --help\n      print this and exit\n  --version\n      print the version and exit\n";
}

}  // namespace throughline::ops
