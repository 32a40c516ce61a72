#pragma once
// The settings of a program, declared once: flag `--x-y`, environment twin THROUGHLINE_X_Y, kind, default and help
// (design 5.1). Reading is pure: arguments and environment in, values or faults out; `read_or_exit` is its edge.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace throughline::ops {

struct listen_address {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const listen_address&) const = default;
};

/// The values read. Asking for a name that was not declared, or as another kind, stops the program (a mistake in
/// `main`).
class settings {
 public:
  const std::string& text(std::string_view name) const;  ///< also a choice; "" where optional and not given
  std::chrono::milliseconds duration(std::string_view name) const;
  std::uint64_t size(std::string_view name) const;  ///< bytes
  const listen_address& address(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& command() const { return command_; }  ///< the sub-command given, or ""

 private:
  friend class setting_table;
  using value = std::variant<std::string, std::chrono::milliseconds, std::uint64_t, listen_address,
                             std::vector<std::string>, bool>;
  template <class T>
  const T& get(std::string_view name) const;

  std::map<std::string, value, std::less<>> values_;
  std::string command_;
};

/// A default, as one would type it; `required` is none.
using setting_default = std::optional<std::string>;
inline constexpr std::nullopt_t required = std::nullopt;

class setting_table {
 public:
  /// What a program is to do instead of running: print and exit.
  struct stop {
    int status = 0;
    std::string out;                  ///< for standard output (--help, --version)
    std::vector<std::string> faults;  ///< for standard error, a line each
  };
  using outcome = std::variant<settings, stop>;
  using environment = std::function<std::optional<std::string>(const std::string&)>;
  using check = std::function<std::optional<std::string>(const settings&)>;

  setting_table(std::string program, std::string summary);

  void text(std::string name, setting_default fallback, std::string help);
  void duration(std::string name, setting_default fallback, std::string help);
  void size(std::string name, setting_default fallback, std::string help);
  void address(std::string name, setting_default fallback, std::string help);  ///< host:port, [v6]:port
  void choice(std::string name, std::vector<std::string> choices, setting_default fallback, std::string help);
  void list(std::string name, setting_default fallback, std::string help);  ///< comma list, blanks cut off
  /// A boolean without a value and without an environment twin. With `command`, only after that sub-command.
  void flag(std::string name, std::string help, std::string command = {});
  void command(std::string name, std::string help);  ///< a positional sub-command, at most one
  /// A rule over several values, or over one that a kind cannot say; gives the fault. Run when all values are well
  /// formed.
  void rule(check rule);
  /// A rule: this duration or size is above zero.
  void above_zero(std::string name);

  /// The settings that every service has: nats-url, nats-creds, ops-listen, drain-timeout, log-level, log-format.
  void common(std::string ops_listen_default);

  outcome read(const std::vector<std::string>& arguments, const environment& env) const;
  /// `read`, then prints and exits (0 for --help and --version, 2 for faults) where there is nothing to run.
  settings read_or_exit(int argc, char** argv) const;

 private:
  enum class kind : std::uint8_t { text, duration, size, address, choice, list, flag };
  struct declaration {
    std::string name;
    kind what;
    setting_default fallback;
    std::string help;
    std::vector<std::string> choices;
    std::string command;
  };
  struct given;

  void declare(declaration d);
  const declaration* find(std::string_view name) const;
  void take_arguments(const std::vector<std::string>& arguments, given& out) const;
  void take_values(const given& in, const environment& env, settings& out, std::vector<std::string>& faults) const;
  std::string help_text() const;

  static std::string environment_name(std::string_view name);
  static std::optional<settings::value> parse(const declaration& d, const std::string& text, std::string& fault);

  std::string program_;
  std::string summary_;
  std::vector<declaration> declarations_;
  std::vector<std::pair<std::string, std::string>> commands_;
  std::vector<check> rules_;
};

/// Integer with ms, s, m or h, e.g. 90s. Empty on anything else, overflow included.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// Integer with KiB, MiB or GiB. Empty on anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// `host:port` or `[v6]:port`. Empty on anything else.
std::optional<listen_address> parse_address(std::string_view text);

}  // namespace throughline::ops
