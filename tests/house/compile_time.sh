#!/bin/sh
# What one attention costs to compile, against Eigen/Core and a single matrix product: -O2, the shortest of three runs, or of up to 15
# while a ratio is too large, and their ratios, with kernels for every instruction set and with those for one.
# usage: compile_time.sh [COMPILER]        exits 1 when a ratio is above 4.2 or, for one instruction set, 2.65; the aim is 1.85
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
# The compiler's own time, which other programs on this machine lengthen less than the time of day: "0m4.580s" of the second line
# of `times`, that of the children of the subshell.
milliseconds() {
  # shellcheck disable=SC2086 # the flags are words
  ("$cxx" -std=c++20 -O2 $2 "-I$root/include" $eigen -c "$work/$1.cpp" -o "$work/$1.o" && times) >"$work/times"
  sed -n '2s/^\([0-9]*\)m\([0-9]*\)\.\([0-9]*\)s.*/\1 \2 \3/p' "$work/times" | awk '{ printf "%d\n", 60000 * $1 + 1000 * $2 + 1000 * ("0." $3) }' >>"$work/$1$2"
}
# hundredths FLAG: the ratio of a build so far
hundredths() {
  echo $(($(sort -n "$work/attn$1" | head -n 1) * 100 / $(sort -n "$work/eigen" | head -n 1)))
}
# In turn, so that what slows the machine slows all; it can only lengthen a run, so the shortest counts.
most_of_all=420 most_of_one=265
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  milliseconds eigen ""
  milliseconds attn ""
  milliseconds attn -DATTN_DISPATCHES=0
  [ $round -lt 3 ] || [ "$(hundredths "")" -gt $most_of_all ] || [ "$(hundredths -DATTN_DISPATCHES=0)" -gt $most_of_one ] || break
done
status=0
# report FLAG TEXT MOST: the ratio of a build, at most so many hundredths
report() {
  ratio=$(hundredths "$1")
  printf '%s -O2: one attention %s %d ms, one Eigen product %d ms, ratio %d.%02d (aim: at most 1.85)\n' "$cxx" "$2" \
    "$(sort -n "$work/attn$1" | head -n 1)" "$(sort -n "$work/eigen" | head -n 1)" $((ratio / 100)) $((ratio % 100))
  [ "$ratio" -le "$3" ] || status=1
}
report "" "for every instruction set" $most_of_all
report -DATTN_DISPATCHES=0 "for one" $most_of_one
exit $status
