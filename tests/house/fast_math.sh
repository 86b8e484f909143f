#!/bin/sh
# A host's fast-math flags take away the infinities that masks are made of: a file that includes attn then gets one clear error, or
# is right. usage: fast_math.sh COMPILER INCLUDE_FLAGS...
set -eu
cxx=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/masks.cpp" <<'END'
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/core/random.hpp>
#include <bit>
#include <cstdint>
int main() {  // a masked key's weight is 0, in its bits, and its NaN is not seen
  attn::Tensor<float, 4> q({1, 1, 40, 8}), k({1, 1, 40, 8}), v({1, 1, 40, 8});
  attn::Random random{1};
  random.normal(q), random.normal(k), random.normal(v);
  const auto clean = attn::ScaledDotProductAttention{}.with_weights(q, k, v, attn::Causal{});
  v.matrix(0, 0).row(39).setConstant(std::bit_cast<float>(0x7fc00000u));
  const auto got = attn::ScaledDotProductAttention{}(q, k, v, attn::Causal{});
  for (int i = 0; i < 39; ++i) {
    for (int e = 0; e < 8; ++e)
      if (std::bit_cast<std::uint32_t>(got(0, 0, i, e)) != std::bit_cast<std::uint32_t>(clean.output(0, 0, i, e))) return 1;
    for (int j = i + 1; j < 40; ++j)
      if (std::bit_cast<std::uint32_t>(clean.weights(0, 0, i, j)) != 0) return 2;
  }
}
END
refused=0 right=0
for flags in -ffast-math -Ofast -ffinite-math-only -funsafe-math-optimizations -fno-signed-zeros "-ffast-math -fno-finite-math-only"; do
  # shellcheck disable=SC2086 # the flags are words
  if "$cxx" -std=c++20 -O2 -Wfatal-errors $flags "$@" -pthread "$work/masks.cpp" -o "$work/masks" 2>"$work/errors"; then
    "$work/masks" || { echo "compiled with $flags the masks are wrong: $?"; exit 1; }
    right=$((right + 1))
  else
    grep -q 'error.*attn: -ffast-math lets the compiler' "$work/errors" || { cat "$work/errors"; echo "with $flags there is no clear error"; exit 1; }
    refused=$((refused + 1))
  fi
done
[ "$refused" -ge 3 ] && [ "$right" -ge 1 ] || { echo "refused $refused, right $right: too few of one kind"; exit 1; }
echo "$refused ways of compiling are refused in one sentence, $right are right"
