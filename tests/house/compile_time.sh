#!/bin/sh
# What one attention costs to compile, against Eigen/Core and a single matrix product: -O2, the shortest of five runs, and their ratio.
# usage: compile_time.sh [COMPILER]        exits 1 when the ratio is above 3; the aim is 1.85
set -eu
cxx=${1:-${CXX:-g++}}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/eigen.cpp" <<'END'
#include <Eigen/Core>
Eigen::MatrixXf product(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b) { return a * b; }
END
cat >"$work/attn.cpp" <<'END'
#include <attn/attn.hpp>
attn::Tensor<float, 4> attend(const attn::Tensor<float, 4>& q, const attn::Tensor<float, 4>& k, const attn::Tensor<float, 4>& v) {
  return attn::ScaledDotProductAttention{}(q, k, v);
}
END

eigen=$(pkg-config --cflags eigen3)
milliseconds() {
  start=$(date +%s%N)
  # shellcheck disable=SC2086 # the flags are words
  "$cxx" -std=c++20 -O2 "-I$root/include" $eigen -c "$work/$1.cpp" -o "$work/$1.o"
  echo $((($(date +%s%N) - start) / 1000000)) >>"$work/$1"
}
# In turn, so that another program on this machine slows both; it can only lengthen a run, so the shortest counts.
for _ in 1 2 3 4 5; do
  milliseconds eigen
  milliseconds attn
done
base=$(sort -n "$work/eigen" | head -n 1)
ours=$(sort -n "$work/attn" | head -n 1)
ratio=$((ours * 100 / base))
printf '%s -O2: one attention %d ms, one Eigen product %d ms, ratio %d.%02d (aim: at most 1.85)\n' "$cxx" "$ours" "$base" $((ratio / 100)) $((ratio % 100))
[ "$ratio" -le 300 ]
