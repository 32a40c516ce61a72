#pragma once
// The gateway's settings (design 5.1).

#include "common/ops/settings.hpp"

namespace throughline::gateway {

ops::setting_table gateway_settings();

}  // namespace throughline::gateway
