#pragma once
// Internal to the codec: pieces of JSON that several bodies have.

#include <optional>
#include <string_view>

#include "common/codec/json_write.hpp"
#include "common/codec/render.hpp"

namespace throughline::codec {

void write_time(json_writer& w, std::string_view name, instant at);
void write_time_or_null(json_writer& w, std::string_view name, const std::optional<instant>& at);
void write_rendered(json_writer& w, rendered bodies);
void write_entry(json_writer& w, const entry& e);
void write_usage(json_writer& w, const token_usage& usage);

}  // namespace throughline::codec
