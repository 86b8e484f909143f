#!/bin/sh
# One attention call and its gradients compile without a warning from attn's headers. g++ warns most where it optimizes most, with
# the registers of AVX-512. usage: no_warnings.sh COMPILER INCLUDE_FLAGS...
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/attention.cpp" <<'END'
#include <attn/attn.hpp>
attn::Tensor<float, 4> attend(const attn::Tensor<float, 4>& q, const attn::Tensor<float, 4>& k, const attn::Tensor<float, 4>& v) {
  return attn::ScaledDotProductAttention{}(q, k, v, attn::Causal{});
}
END
"$@" -std=c++20 -O3 -mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -Wall -Wextra -Wshadow -c "$work/attention.cpp" -o "$work/attention.o" 2>"$work/log" || {
  cat "$work/log"
  exit 1
}
# Warnings in Eigen and in the compiler's own headers count where attn's code leads there.
count=$(grep -c 'warning:' "$work/log") || true
grep 'warning:' "$work/log" | sort | uniq -c | sort -rn | head -n 20
echo "$count warnings"
[ "$count" -eq 0 ]
