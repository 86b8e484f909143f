#!/bin/sh
# A program without CMake. usage: build.sh COMPILER PREFIX SOURCES
set -eu
export PKG_CONFIG_PATH="$2/share/pkgconfig"
test "$(pkg-config --modversion attn)" = "$(pkg-config --modversion attn-plot)"

# shellcheck disable=SC2046 # the flags are words
"$1" -std=c++20 -DATTN_DISPATCHES=0 "$3/attention.cpp" $(pkg-config --cflags --libs attn) -o attention
./attention
# shellcheck disable=SC2046
"$1" -std=c++20 -DATTN_DISPATCHES=0 "$3/components.cpp" $(pkg-config --cflags --libs attn-io attn-plot attn-text) -o components
./components
