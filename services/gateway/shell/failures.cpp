#include "services/gateway/shell/failures.hpp"

#include <string>
#include <utility>

#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"

namespace throughline::gateway {

int status_of(const error& why) {
  return codec::http_status_of(why.code);
}

io::http_response failure_of(const error& why) {
  return response_of({status_of(why), codec::error_body(why.code, why.message)});
}

io::http_response failure_of(const error& why, millis after) {
  auto response = io::http_response::json(status_of(why), codec::error_body(why.code, why.message));
  response.headers.emplace_back("Retry-After", std::to_string((after.count() + 999) / 1000));
  return response;
}

io::http_response response_of(answer said) {
  auto response = io::http_response::json(said.status, std::move(said.body));
  if (said.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (said.status == 429 || said.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace throughline::gateway
