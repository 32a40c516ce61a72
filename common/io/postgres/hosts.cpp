// Which host of the list a connection goes to (design 3.4).

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/io/postgres/conninfo.hpp"
#include "common/io/postgres/database.hpp"

namespace throughline::io {
namespace {

/// Of several hosts that failed: all their words, and the kind of the one that came furthest.
open_error both(open_error one, open_error other) {
  return {std::max(one.kind, other.kind), std::move(one.message) + "; " + other.message};
}

}  // namespace

void host_knowledge::saw_epoch(std::uint64_t epoch) {
  auto known = highest_.load();
  while (known < epoch && !highest_.compare_exchange_weak(known, epoch)) {
  }
}

void host_knowledge::chose(std::size_t host, clock::time_point now) {
  host_ = host;
  chosen_at_ = now.time_since_epoch().count();
}

std::optional<std::size_t> host_knowledge::chosen(clock::time_point now) const {
  const clock::time_point at(clock::duration(chosen_at_.load()));
  if (at == clock::time_point::min() || now - at > choice_age_max) return std::nullopt;
  return host_.load();
}

database::database(database_settings settings)
    : settings_(std::move(settings)), dog_(std::make_shared<watchdog>()), seen_(std::make_shared<host_knowledge>()) {}

open_result database::open(connection_role role) const {
  const auto hosts = connection_parameters(settings_.url, settings_.application_name);
  if (!hosts) return std::unexpected(open_error{open_failure::bad_url, hosts.error()});
  auto made = open_host(hosts->front(), role, nullptr);
  for (std::size_t host = 1; host < hosts->size() && !made; ++host) {
    auto next = open_host((*hosts)[host], role, nullptr);
    made = next ? std::move(next) : std::unexpected(both(made.error(), next.error()));
  }
  return made;
}

open_result database::open(connection_role role, const epoch_finder& find) const {
  const auto hosts = connection_parameters(settings_.url, settings_.application_name);
  if (!hosts) return std::unexpected(open_error{open_failure::bad_url, hosts.error()});
  if (const auto host = seen_->chosen(host_knowledge::clock::now()); host && *host < hosts->size()) {
    if (auto made = open_host((*hosts)[*host], role, &find)) return made;
  }
  return open_best(*hosts, role, find);
}

/// All hosts are looked at: an old primary that came back may stand before the new one in the list.
open_result database::open_best(const std::vector<std::string>& hosts, connection_role role,
                                const epoch_finder& find) const {
  std::unique_ptr<database_connection> best;
  std::size_t best_host = 0;
  std::optional<open_error> why_not;
  for (std::size_t host = 0; host < hosts.size(); ++host) {
    auto made = open_host(hosts[host], role, &find);
    if (!made) {
      why_not = why_not ? both(std::move(*why_not), made.error()) : made.error();
      continue;
    }
    if (best && best->epoch() >= (*made)->epoch()) continue;
    best = std::move(*made);
    best_host = host;
    seen_->chose(host, host_knowledge::clock::now());
  }
  if (!best) return std::unexpected(std::move(*why_not));
  // The look at the others may have taken longer than a choice holds.
  seen_->chose(best_host, host_knowledge::clock::now());
  return best;
}

void database::look_around(const epoch_finder& find) const {
  const auto hosts = connection_parameters(settings_.url, settings_.application_name);
  if (hosts) (void)open_best(*hosts, connection_role::work, find);
}

bool database::has_several_hosts() const {
  const auto hosts = connection_parameters(settings_.url, settings_.application_name);
  return hosts && hosts->size() > 1;
}

open_result database::judged(std::unique_ptr<database_connection> made, const epoch_finder& find) const {
  try {
    const auto watched = made->limit(statement_answer_max);
    made->epoch_ = find(*made, seen_->highest_epoch());
  } catch (const std::exception& error) {
    return std::unexpected(open_error{open_failure::no_epoch, reason_of(error)});
  }
  if (const auto seen = seen_->highest_epoch(); made->epoch_ < seen) {
    auto why = fmt::format("its epoch is {}, and {} has been seen: an old primary, or one restored from a backup",
                           made->epoch_, seen);
    why += " (then: state-sync migrate --new-epoch)";
    return std::unexpected(open_error{open_failure::outdated, std::move(why)});
  }
  seen_->saw_epoch(made->epoch_);
  return made;
}

}  // namespace throughline::io
