#!/bin/sh
# The README's program that loads a model and runs it has at most 12 lines, and less than a megabyte when it is optimized and
# stripped. Its model lies in the current folder. usage: small_program.sh program.cpp strip compiler -I…
set -eu
program=$1 strip=$2
shift 2
lines=$(sed '$a\' "$program" | grep -c '[^[:space:]]')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$@" -std=c++20 -Wall -Wextra -O2 -DNDEBUG "$program" -o "$folder/program" -pthread
"$strip" "$folder/program"
"$folder/program"
size=$(wc -c <"$folder/program")
echo "$lines lines, $size bytes"
[ "$lines" -le 12 ] && [ "$size" -lt 1000000 ]
