#pragma once

/// Pictures, asked for by name: heat maps and curves as PNG, with nothing to install but stb's
/// headers.
#include <attn/plot/attention_map.hpp>
#include <attn/plot/figure.hpp>
