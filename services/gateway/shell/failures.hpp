#pragma once
// Refusals as responses, with the headers that their status calls for: the same for requests and for upgrades.

#include "common/base/instant.hpp"
#include "common/base/result.hpp"
#include "common/io/net/http.hpp"
#include "common/model/reply.hpp"

namespace throughline::gateway {

/// The HTTP status of an error's code.
int status_of(const error& why);
/// The response of an error value; its code says the status.
io::http_response failure_of(const error& why);
/// The same, for a client that is to come back after that long.
io::http_response failure_of(const error& why, millis after);
inline error overloaded() {
  return {"busy", "too much is asked of this gateway at the moment: try again later"};
}
inline error draining() {
  return {"shutting_down", "this gateway is shutting down"};
}
/// Of a gateway that its outage of NATS cuts off.
inline error cut_off() {
  return {"unavailable", "this gateway is cut off from its system: try again"};
}
/// What state-sync answered, as it is.
io::http_response response_of(answer said);

}  // namespace throughline::gateway
