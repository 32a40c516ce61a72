#include "common/io/postgres/conninfo.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string_view>

#include <libpq-fe.h>

#include "common/io/postgres/database.hpp"

namespace throughline::io {
namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

using parameter_map = std::map<std::string, std::string>;

std::string as_list(const parameter_map& parameters) {
  std::string list;
  for (const auto& [key, value] : parameters) list += key + "=" + quoted(value) + " ";
  return list;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    parts.emplace_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

/// libpq takes the first host that is a primary; which of several is the right one is for us to tell (design 3.4).
std::vector<std::string> one_per_host(const parameter_map& parameters) {
  constexpr std::array per_host{"host", "hostaddr", "port"};
  std::map<std::string, std::vector<std::string>> lists;
  std::size_t hosts = 1;
  for (const auto* key : per_host) {
    const auto found = parameters.find(key);
    if (found == parameters.end()) continue;
    hosts = std::max(hosts, (lists[key] = split_at_commas(found->second)).size());
  }
  const auto fits = [&](const auto& list) { return list.second.size() == hosts || list.first == "port"; };
  const bool ports_fit = !lists.contains("port") || lists["port"].size() == 1 || lists["port"].size() == hosts;
  if (hosts == 1 || !ports_fit || !std::ranges::all_of(lists, fits)) return {as_list(parameters)};  // libpq says what
  std::vector<std::string> each;
  for (std::size_t host = 0; host < hosts; ++host) {
    auto one = parameters;
    for (const auto& [key, list] : lists) one[key] = list[list.size() == 1 ? 0 : host];
    each.push_back(as_list(one));
  }
  return each;
}

}  // namespace

std::expected<std::vector<std::string>, std::string> connection_parameters(const std::string& url,
                                                                           const std::string& application_name) {
  char* raw_fault = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &raw_fault),
                                                                            &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> fault(raw_fault, &PQfreemem);
  if (!parsed) {
    // libpq quotes what it could not read, which may be a password: its words stay here.
    return std::unexpected("not a PostgreSQL URL or key=value list");
  }
  parameter_map parameters;
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  parameters["target_session_attrs"] = "read-write";
  parameters["application_name"] = application_name;
  parameters["connect_timeout"] = std::to_string(connect_timeout.count());
  parameters["client_encoding"] = "UTF8";
  // A peer that vanished is noticed in about 11 s, and unacknowledged bytes are given up after 10.
  parameters["keepalives"] = "1";
  parameters["keepalives_idle"] = "5";
  parameters["keepalives_interval"] = "2";
  parameters["keepalives_count"] = "3";
  parameters["tcp_user_timeout"] = "10000";
  return one_per_host(parameters);
}

}  // namespace throughline::io
