#!/bin/sh
# Functions outside of the kernels of AVX2 and AVX-512 that use registers or encodings of AVX: a plain program must run on a
# processor without. usage: symbols.sh OBJDUMP FILE...
set -eu
objdump=$1
shift
"$objdump" -d --no-show-raw-insn "$@" | awk '
  /^[0-9a-f]+ <.*>:$/ {
    name = $2
    functions++
    if (name ~ /4avx2|6avx512/) kernels++
    next
  }
  name !~ /4avx2|6avx512/ && (/[yz]mm[0-9]/ || /^ *[0-9a-f]+:\tv[a-z]/) { found[name]++ }
  END {
    for (n in found) {
      print n " has " found[n] " instructions of AVX"
      bad = 1
    }
    if (!kernels) {
      print "there are no kernels for AVX2 among " functions + 0 " functions"
      bad = 1
    }
    if (!bad) print kernels " of " functions " functions are kernels of AVX2 or AVX-512, and no other uses AVX"
    exit bad
  }'
