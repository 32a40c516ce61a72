#include "common/io/postgres/conninfo.hpp"

#include <map>
#include <memory>

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

}  // namespace

std::expected<std::string, std::string> connection_parameters(const std::string& url,
                                                              const std::string& application_name) {
  char* raw_fault = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &raw_fault),
                                                                            &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> fault(raw_fault, &PQfreemem);
  if (!parsed) {
    // libpq quotes what it could not read, which may be a password: its words stay here.
    return std::unexpected("not a PostgreSQL URL or key=value list");
  }
  std::map<std::string, std::string> parameters;
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
  std::string list;
  for (const auto& [key, value] : parameters) list += key + "=" + quoted(value) + " ";
  return list;
}

}  // namespace throughline::io
