#pragma once
// Time as values. `instant` is the database's clock (design 6.4), in microseconds as PostgreSQL stores it.

#include <chrono>

namespace throughline {

using micros = std::chrono::microseconds;
using millis = std::chrono::milliseconds;
using instant = std::chrono::sys_time<micros>;

}  // namespace throughline
