#include "common/ops/settings.hpp"

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

using namespace throughline::ops;
using namespace std::chrono_literals;

namespace {

using variables = std::map<std::string, std::string>;

setting_table::environment from(const variables& set) {
  return [set](const std::string& name) -> std::optional<std::string> {
    const auto found = set.find(name);
    return found == set.end() ? std::nullopt : std::optional(found->second);
  };
}

setting_table table() {
  setting_table t("state-sync", "Applies, commits, publishes.");
  t.common("0.0.0.0:9082");
  t.text("database-url", required, "libpq URI");
  t.duration("stale-after", "5m", "when a turn without an agent ends");
  t.size("max-entry", "8MiB", "longest entry");
  t.text("optional", "", "may be absent");
  t.flag("migrate", "migrate, then run");
  t.command("migrate", "apply migrations and exit");
  t.flag("new-epoch", "raise the epoch", "migrate");
  return t;
}

settings good(const setting_table::outcome& outcome) {
  REQUIRE(std::holds_alternative<settings>(outcome));
  return std::get<settings>(outcome);
}

std::vector<std::string> faults(const setting_table::outcome& outcome) {
  REQUIRE(std::holds_alternative<setting_table::stop>(outcome));
  const auto& stop = std::get<setting_table::stop>(outcome);
  CHECK(stop.status == 2);
  CHECK(stop.out.empty());
  return stop.faults;
}

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const variables complete{{"THROUGHLINE_DATABASE_URL", "postgresql://h/d"}};

}  // namespace

TEST_CASE("defaults, and environment twins") {
  auto set = complete;
  set["THROUGHLINE_STALE_AFTER"] = "1500ms";
  set["THROUGHLINE_NATS_URL"] = "nats://a:1, nats://b:2";
  const auto s = good(table().read({}, from(set)));
  CHECK(s.text("database-url") == "postgresql://h/d");
  CHECK(s.duration("stale-after") == 1500ms);
  CHECK(s.duration("drain-timeout") == 25s);
  CHECK(s.size("max-entry") == 8u << 20);
  CHECK(s.address("ops-listen") == listen_address{"0.0.0.0", 9082});
  CHECK(s.list("nats-url") == std::vector<std::string>{"nats://a:1", "nats://b:2"});
  CHECK(s.text("log-format") == "json");
  CHECK(s.text("optional").empty());
  CHECK_FALSE(s.flag("migrate"));
  CHECK(s.command().empty());
}

TEST_CASE("a flag wins over its environment variable, in both spellings; the last one wins") {
  auto set = complete;
  set["THROUGHLINE_STALE_AFTER"] = "nonsense";
  CHECK(good(table().read({"--stale-after", "2s"}, from(set))).duration("stale-after") == 2s);
  CHECK(good(table().read({"--stale-after=3h"}, from(set))).duration("stale-after") == 3h);
  CHECK(good(table().read({"--stale-after=3h", "--stale-after", "1m"}, from(set))).duration("stale-after") == 1min);
  CHECK(good(table().read({"--database-url=host=h user=u"}, from({}))).text("database-url") == "host=h user=u");
}

TEST_CASE("an empty environment variable is one that is not set") {
  auto set = complete;
  set["THROUGHLINE_STALE_AFTER"] = "";
  CHECK(good(table().read({}, from(set))).duration("stale-after") == 5min);
  CHECK(faults(table().read({}, from({{"THROUGHLINE_DATABASE_URL", ""}}))).size() == 1);
}

TEST_CASE("one line per fault, naming the setting") {
  const auto all = faults(table().read({"--stale-after=5", "--max-entry", "8MB", "--log-level=loud", "--what=1", "run",
                                        "--ops-listen=9082", "--migrate=yes", "--optional"},
                                       from({})));
  REQUIRE(all.size() == 9);
  const auto one_names = [&](std::string_view part) {
    return std::ranges::count_if(all, [&](const auto& line) { return mentions(line, part); }) == 1;
  };
  for (const auto* part : {"--stale-after: '5'", "--max-entry: '8MB'", "--log-level: 'loud'", "unknown setting --what",
                           "unexpected argument 'run'", "--ops-listen: '9082'", "--migrate takes no value",
                           "--optional needs a value", "THROUGHLINE_DATABASE_URL) is required"}) {
    CAPTURE(part);
    CHECK(one_names(part));
  }
  for (const auto& line : all) CHECK(line.find('\n') == std::string::npos);
}

TEST_CASE("a wrong environment variable is named as such") {
  auto set = complete;
  set["THROUGHLINE_MAX_ENTRY"] = "-1MiB";
  const auto all = faults(table().read({}, from(set)));
  REQUIRE(all.size() == 1);
  CHECK(mentions(all[0], "THROUGHLINE_MAX_ENTRY: '-1MiB'"));
}

TEST_CASE("commands and boolean flags") {
  CHECK(good(table().read({"--migrate"}, from(complete))).flag("migrate"));
  const auto s = good(table().read({"migrate", "--new-epoch"}, from(complete)));
  CHECK(s.command() == "migrate");
  CHECK(s.flag("new-epoch"));
  CHECK(faults(table().read({"--new-epoch"}, from(complete))).size() == 1);
  CHECK(faults(table().read({"migrate", "migrate"}, from(complete))).size() == 1);
}

TEST_CASE("rules over values") {
  auto t = table();
  t.rule([](const settings& s) -> std::optional<std::string> {
    if (s.duration("stale-after") >= 1s) return std::nullopt;
    return "--stale-after must be at least 1s";
  });
  good(t.read({}, from(complete)));
  CHECK(faults(t.read({"--stale-after=10ms"}, from(complete))).size() == 1);
}

TEST_CASE("--help lists all and needs nothing, --version is one line") {
  const auto help = std::get<setting_table::stop>(table().read({"--help", "--nonsense"}, from({})));
  CHECK(help.status == 0);
  for (const auto* part : {"--database-url", "THROUGHLINE_STALE_AFTER", "8MiB", "--migrate", "--new-epoch", "required",
                           "debug, info, warn, error"}) {
    CAPTURE(part);
    CHECK(mentions(help.out, part));
  }
  const auto version = std::get<setting_table::stop>(table().read({"--version"}, from({})));
  CHECK(version.status == 0);
  CHECK(version.out.starts_with("state-sync "));
  CHECK(std::ranges::count(version.out, '\n') == 1);
}

TEST_CASE("a size or a duration may have to be above zero") {
  setting_table t("gateway", "Tries.");
  t.duration("turn-idle-timeout", "90s", "how long");
  t.size("max-frame", "8MiB", "how big");
  t.above_zero("turn-idle-timeout");
  t.above_zero("max-frame");
  CHECK(good(t.read({"--turn-idle-timeout", "1ms", "--max-frame", "1KiB"}, from({}))).size("max-frame") == 1024);
  const auto found = faults(t.read({"--turn-idle-timeout", "0s", "--max-frame", "0KiB"}, from({})));
  REQUIRE(found.size() == 2);
  CHECK(mentions(found[0], "--turn-idle-timeout"));
  CHECK(mentions(found[1], "--max-frame"));
}

TEST_CASE("durations, sizes, addresses") {
  CHECK(parse_duration("0ms") == 0ms);
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("2h") == 2h);
  for (const auto* wrong :
       {"", "s", "5", "5 s", "-5s", "+5s", "5S", "1.5s", "5sm", "99999999999999999999s", "9223372036854775807h"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong).has_value());
  }
  CHECK(parse_size("1KiB") == 1024);
  CHECK(parse_size("2GiB") == 2ULL << 30);
  for (const auto* wrong : {"", "1", "1KB", "1kib", "KiB", "18446744073709551615GiB"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong).has_value());
  }
  CHECK(parse_address("localhost:0") == listen_address{"localhost", 0});
  CHECK(parse_address("[::1]:8080") == listen_address{"::1", 8080});
  for (const auto* wrong : {"", "8080", ":8080", "h:", "h:x", "h:65536", "::1:80", "h:80x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_address(wrong).has_value());
  }
}
