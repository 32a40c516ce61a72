#pragma once
// The gateway put together: adapters, loop, operations port, and the way down.

#include "common/ops/settings.hpp"
#include "common/ops/shutdown.hpp"

namespace throughline::gateway {

/// Runs until `stop` is requested; gives the exit status.
int run_gateway(const ops::settings& given, ops::shutdown_signal& stop);

}  // namespace throughline::gateway
