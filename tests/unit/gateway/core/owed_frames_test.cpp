#include "services/gateway/core/owed_frames.hpp"

#include <memory>
#include <string>

#include <doctest/doctest.h>

using namespace throughline;
using gateway::owed_frames;

namespace {

replay::shared_text text_of(std::size_t bytes) {
  return std::make_shared<const std::string>(bytes, 'x');
}

}  // namespace

TEST_CASE("a client that reads nothing is not heard beyond a number of answers") {
  owed_frames owed;
  for (std::size_t n = 0; n < owed_frames::answers_max; ++n) {
    CHECK(owed.may_read());
    owed.add(text_of(1), true);
  }
  CHECK_FALSE(owed.may_read());
  owed.remove_front();
  CHECK(owed.may_read());
}

TEST_CASE("nor beyond a number of bytes") {
  owed_frames owed;
  owed.add(text_of(owed_frames::answer_bytes_max), true);
  CHECK_FALSE(owed.may_read());
  owed.remove_front();
  CHECK(owed.may_read());
  CHECK(owed.empty());
}

TEST_CASE("what the session's events leave owed keeps nobody from speaking") {
  owed_frames owed;
  for (int n = 0; n < 1000; ++n) owed.add(text_of(1000), false);
  CHECK(owed.may_read());
  const auto last = text_of(7);
  owed.add(last, true);
  for (int n = 0; n < 1000; ++n) owed.remove_front();
  CHECK(owed.front() == last);
}
