#include "services/state-sync/shell/store/key_store.hpp"

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

struct rig {
  empty_database database;
  std::unique_ptr<io::database_connection> connection = database.open();
  key_store keys{*connection, database.epoch()};

  std::string count(const std::string& table) const {
    return database.sql("SELECT count(*) FROM " + table)[0][0].as<std::string>();
  }
};

caller by(const std::string& user, const std::string& id, const std::string& fingerprint = "f") {
  return {user_id(user), id, fingerprint};
}

}  // namespace

TEST_CASE("a key is issued once, and its own repeat is answered as the first time") {
  rig r;
  const issue_key first{by("alice", "a"), "key_1", "ci", "hash-1"};
  const auto said = r.keys.apply(first).said;
  CHECK(said.status == 201);
  CHECK(said.body.find("key_1") != std::string::npos);
  CHECK(said.body.find("hash-1") == std::string::npos);
  const auto again = r.keys.apply(first).said;
  CHECK(again.status == 201);
  CHECK(again.body == said.body);
  CHECK(r.count("api_keys") == "1");
}

TEST_CASE("a client's repeat brings another secret: the first was shown and is not kept") {
  rig r;
  r.keys.apply(issue_key{by("alice", "a"), "key_1", "ci", "hash-1"});
  const auto again = r.keys.apply(issue_key{by("alice", "a"), "key_2", "ci", "hash-2"}).said;
  CHECK(again.status == 409);
  CHECK(again.body.find("already_issued") != std::string::npos);
  const auto other = r.keys.apply(issue_key{by("alice", "a", "other"), "key_3", "x", "hash-3"}).said;
  CHECK(other.status == 409);
  CHECK(other.body.find("id_reused") != std::string::npos);
  CHECK(r.keys.apply(issue_key{by("bob", "a"), "key_4", "ci", "hash-4"}).said.status == 201);
  CHECK(r.count("api_keys") == "2");
}

TEST_CASE("a key is revoked by its owner only, and the repeat of a revocation is answered the same") {
  rig r;
  r.keys.apply(issue_key{by("alice", "a"), "key_1", "ci", "hash-1"});
  const auto stranger = r.keys.apply(revoke_key{by("bob", "b"), "key_1"});
  CHECK(stranger.said.status == 404);
  CHECK(stranger.revoked_hash.empty());
  CHECK(r.count("api_keys") == "1");
  const auto gone = r.keys.apply(revoke_key{by("alice", "b"), "key_1"});
  CHECK(gone.said.status == 204);
  CHECK(gone.revoked_hash == "hash-1");
  CHECK(r.keys.apply(revoke_key{by("alice", "b"), "key_1"}).said.status == 204);
  CHECK(r.keys.apply(revoke_key{by("alice", "c"), "key_1"}).said.status == 404);
  CHECK(r.count("api_keys") == "0");
  CHECK(r.count("answers") == "2");  // no refusal is stored
}

TEST_CASE("another epoch refuses everything") {
  rig r;
  raise_epoch(*r.database.open());
  CHECK_THROWS_AS(r.keys.apply(issue_key{by("alice", "a"), "key_1", "ci", "hash-1"}), epoch_changed);
  CHECK(r.count("api_keys") == "0");
}
