#pragma once
// A migrated, empty database on the test program's private PostgreSQL; made anew for each test case.

#include <atomic>
#include <memory>
#include <string>

#include "services/state-sync/shell/store/epoch.hpp"
#include "services/state-sync/shell/store/migrate.hpp"
#include "services/state-sync/shell/store/store.hpp"
#include "tests/support/database.hpp"

namespace throughline::testing {

class empty_database {
 public:
  explicit empty_database(bool migrated = true) : name_("t" + std::to_string(++made())) {
    const io::database server({private_postgres().url(), "test"});
    auto admin = server.open(io::connection_role::work);
    if (!admin) throw std::runtime_error(admin.error().message);
    pqxx::nontransaction(((*admin)->sql())).exec("CREATE DATABASE " + name_);
    database_ = std::make_unique<io::database>(io::database_settings{url(), "test"});
    if (!migrated) return;
    auto c = open();
    state_sync::migrate(*c);
    epoch_ = state_sync::establish_epoch(*c);
  }

  std::string url() const {
    auto base = private_postgres().url();
    const auto scheme = base.find("://") + 3;
    const auto slash = base.find('/', scheme);
    return base.substr(0, slash) + "/" + name_;
  }
  const std::string& name() const { return name_; }
  const io::database& database() const { return *database_; }
  std::unique_ptr<io::database_connection> open() const {
    auto c = database_->open(io::connection_role::work);
    if (!c) throw std::runtime_error(c.error().message);
    return std::move(*c);
  }
  pqxx::result sql(const std::string& text) const {
    auto c = open();
    pqxx::work tx(c->sql());
    auto rows = tx.exec(text);
    tx.commit();
    return rows;
  }
  std::uint64_t epoch() const { return epoch_; }

 private:
  static std::atomic<int>& made() {
    static std::atomic<int> count = 0;
    return count;
  }
  std::string name_;
  std::unique_ptr<io::database> database_;
  std::uint64_t epoch_ = 0;
};

}  // namespace throughline::testing
