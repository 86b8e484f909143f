#pragma once

/// Heat maps and curves as PNG files. Nothing needs to be installed but stb's headers.
#include <attn/plot/attention_map.hpp>
#include <attn/plot/figure.hpp>
