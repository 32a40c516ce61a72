#include "common/ops/log.hpp"

#include <limits>

#include <doctest/doctest.h>

#include "common/base/id.hpp"

using namespace throughline;
namespace log = throughline::ops::log;

namespace {

std::string after_time(const std::string& line) {
  return line.substr(line.find(",\"level\""));
}

}  // namespace

TEST_CASE("a line of json") {
  const session_id id("ses_1");
  const std::string quoted = "a\"b\n";
  const auto line = log::render("gateway", log::level::warn, log::format::json, "socket_closed",
                                {{"session", id},
                                 {"code", 1009},
                                 {"size", std::uint64_t{1} << 63},
                                 {"why", quoted},
                                 {"late", true},
                                 {"share", 0.5},
                                 {"minus", -1},
                                 {"text", "x"}});
  CHECK(line.starts_with("{\"time\":\"2"));
  CHECK(after_time(line) ==
        ",\"level\":\"warn\",\"service\":\"gateway\",\"event\":\"socket_closed\",\"session\":\"ses_1\",\"code\":1009,"
        "\"size\":9223372036854775808,\"why\":\"a\\\"b\\n\",\"late\":true,\"share\":0.5,\"minus\":-1,\"text\":\"x\"}");
}

TEST_CASE("what json has no number for is null") {
  const auto line =
      log::render("s", log::level::info, log::format::json, "e", {{"n", std::numeric_limits<double>::quiet_NaN()}});
  CHECK(line.ends_with("\"n\":null}"));
}

TEST_CASE("a line for people stays a line") {
  const auto line = log::render("gateway", log::level::info, log::format::text, "started",
                                {{"port", 8080}, {"why", "two words\nand more"}, {"id", "ses_1"}});
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.ends_with(" info  gateway started port=8080 why=\"two words\\nand more\" id=ses_1"));
}

TEST_CASE("names of settings") {
  CHECK(log::level_of("debug") == log::level::debug);
  CHECK(log::level_of("error") == log::level::error);
  CHECK(log::format_of("text") == log::format::text);
  CHECK(log::format_of("json") == log::format::json);
}
