#!/bin/sh
# A plain program runs on processors with and without AVX, and chooses what each has.
# usage: instruction_set.sh PROGRAM BEST     BEST: what this machine's processor has
set -eu
program=$1
# expect NAME COMMAND...: the command prints the name of the instruction set
expect() {
  wanted=$1
  shift
  got=$("$@") || { echo "$*: exit code $?, and \"$got\""; exit 1; }
  [ "$got" = "$wanted" ] || { echo "$*: \"$got\", not $wanted"; exit 1; }
  echo "$wanted: $*"
}
expect "$2" "$program"
expect native env ATTN_INSTRUCTION_SET=native "$program"
refused=$(ATTN_INSTRUCTION_SET=sse5 "$program") && { echo "sse5 is not an instruction set"; exit 1; }
echo "$refused" | grep -q '^attn: the instruction set "sse5" must be native, avx2 or avx512$'
if command -v qemu-x86_64 >/dev/null; then
  expect native qemu-x86_64 -cpu Nehalem "$program"
  expect native qemu-x86_64 -cpu SandyBridge "$program"  # AVX without AVX2
  expect avx2 qemu-x86_64 -cpu Haswell "$program"
  refused=$(ATTN_INSTRUCTION_SET=avx2 qemu-x86_64 -cpu Nehalem "$program") && { echo "a Nehalem has no AVX2"; exit 1; }
  echo "$refused" | grep -q 'avx2 must be one that this build and this processor have, at most native$'
else
  echo "qemu-x86_64 is not installed: other processors were not tried"
fi
