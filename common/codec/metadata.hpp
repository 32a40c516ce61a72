#pragma once
// Internal to the codec: JSON that passes through, such as a caller's metadata.

#include <string>

#include <simdjson.h>

namespace throughline::codec {

/// Appends `value` as JSON without blanks, every string and name in it sanitised (P-A9.1). False: a string was not
/// Unicode.
bool append_sanitised(std::string& out, simdjson::dom::element value);

}  // namespace throughline::codec
