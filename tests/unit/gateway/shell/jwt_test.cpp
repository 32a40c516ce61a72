#include "services/gateway/shell/jwt.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

const jwt_verifier verifier("0123456789abcdef0123456789abcdef");

// Made with another implementation: {"alg":"HS256","typ":"JWT"} . {"sub":"ana","exp":4102444800}
constexpr const char* good =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbmEiLCJleHAiOjQxMDI0NDQ4MDB9.-KeYZ4PJNc8SV-Hl7U6Uh0"
    "LJlndjQdf-KjbJSICBCgg";
// The same payload under {"alg":"none"}, {"alg":"HS512"} and with a `crit`.
constexpr const char* none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiAiYW5hIiwgImV4cCI6IDQxMDI0NDQ4MDB9.";
constexpr const char* hs512 =
    "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbmEiLCJleHAiOjQxMDI0NDQ4MDB9.nZqyVNyDZJnxCSu-tzmAboA8Jf4HRcoAQ_nPCU"
    "kVSKs-Z4Tyq1KAoKpEgcxTb2t5Ynic7m_z9aRcMIDMWiw76g";
constexpr const char* critical =
    "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdLCJ4IjoxfQ.eyJzdWIiOiJhbmEiLCJleHAiOjQxMDI0NDQ4MDB9.AmkIIHWwUipi"
    "MORPGvHJJNroCJwEHyriGDsNfmu2za8";
// {"sub":"ana","exp":"tomorrow"}
constexpr const char* no_time =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEiLCJleHAiOiJ0b21vcnJvdyJ9.eIQSD_BFAqtR2CYfUIuzpvt1Bgis3V5aKFKpwZ"
    "07b4U";

}  // namespace

TEST_CASE("a signed token gives its claims") {
  const auto said = verifier.verify(good);
  REQUIRE(said);
  CHECK(said->subject == "ana");
  CHECK(said->expires == 4102444800.0);
  CHECK_FALSE(said->not_before);
}

TEST_CASE("any other algorithm, and any extension that must be understood, is refused") {
  CHECK_FALSE(verifier.verify(none));
  CHECK_FALSE(verifier.verify(hs512));
  CHECK_FALSE(verifier.verify(critical));
}

TEST_CASE("another secret, and a change of any part, is refused") {
  CHECK_FALSE(jwt_verifier("0123456789abcdef0123456789abcdeF").verify(good));
  const std::string token(good);
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != token) CHECK_FALSE(verifier.verify(changed));
  }
}

TEST_CASE("what is no token is refused") {
  for (const auto* text : {"", ".", "..", "...", "a.b", "a.b.c", "ha-abcdef", "%%%.%%%.%%%"}) {
    CHECK_FALSE(verifier.verify(text));
  }
  CHECK_FALSE(verifier.verify(std::string(good) + "."));
  CHECK_FALSE(verifier.verify(no_time));
}

TEST_CASE("base64url is strict") {
  CHECK(base64url_decoded("") == "");
  CHECK(base64url_decoded("YQ") == "a");
  CHECK(base64url_decoded("-_8") == "\xfb\xff");
  CHECK_FALSE(base64url_decoded("YQ=="));
  CHECK_FALSE(base64url_decoded("YR"));  // stray bits
  CHECK_FALSE(base64url_decoded("Y"));
  CHECK_FALSE(base64url_decoded("+/8"));
}
