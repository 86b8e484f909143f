#!/bin/sh
# Finds calls by name of functions that only a later folder defines: a template can call them without an #include, and the folder
# order would not hold. usage: calls.sh INCLUDE_DIR
# Functions are found at namespace scope, where clang-format puts them in column 0, and calls by `name(`.
set -eu
cd "$1/attn"
order="core parallel=simd=files gemm autograd math rules position attention nn train io=plot text=mpi"

# shellcheck disable=SC2046 # no file name has a space
set -- $(find . -mindepth 2 -name '*.hpp' | sed 's,^\./,,' | LC_ALL=C sort)
awk -v order="$order" '
function rank_of(file) { return rank[substr(file, 1, index(file, "/") - 1)] }
function code(line) {  # without strings and comments
  gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
  sub(/\/\/.*/, "", line)
  return line
}
BEGIN {
  levels = split(order, level, " ")
  for (i = 1; i <= levels; i++) {
    count = split(level[i], folder, "=")
    for (j = 1; j <= count; j++) rank[folder[j]] = i
  }
}
FNR == 1 { pass += FILENAME == ARGV[1] }
pass == 1 {
  line = code($0)
  # What is declared anywhere in a file is its own: functions, members, local functions.
  rest = line
  while (match(rest, /[A-Za-z0-9_>&*\]] [&*]*[a-z_][a-z0-9_]*(\(| = \[)/)) {
    text = substr(rest, RSTART, RLENGTH)
    word = substr(rest, 1, RSTART)
    sub(/.*[^A-Za-z0-9_]/, "", word)
    sub(/^. [&*]*/, "", text)
    sub(/(\(| = \[)$/, "", text)
    if (word !~ /^(return|else|throw|case|co_yield|in|and|or|not)$/) own[FILENAME, text] = 1
    rest = substr(rest, RSTART + RLENGTH)
  }
  sub(/^  friend /, "", line)
  sub(/^template <[^()]*> /, "", line)
  if (FILENAME ~ /^mpi\//) next  # its functions are only found as mpi::name
  if (line !~ /^[A-Za-z]/ || line ~ /^(namespace|template|using|static_assert|requires|extern|struct|class|enum|concept)/) next
  if (!match(line, /[ *&]?[a-z][a-z0-9_]*\(/)) next
  name = substr(line, RSTART, RLENGTH - 1)
  sub(/^[ *&]/, "", name)
  if (name ~ /^(decltype|alignas|noexcept|operator|sizeof)$/) next
  if (!(name in first) || rank_of(FILENAME) < first[name]) { first[name] = rank_of(FILENAME); where[name] = FILENAME }
}
pass == 2 {
  rest = code($0)
  before = ""
  while (match(rest, /[A-Za-z_][A-Za-z0-9_]*\(/)) {
    before = before substr(rest, 1, RSTART - 1)
    name = substr(rest, RSTART, RLENGTH - 1)
    if (name in first && first[name] > rank_of(FILENAME) && !((FILENAME, name) in own) && before !~ /(\.|->|::|~)$/) {
      printf "%s:%d calls %s, which only %s defines, a later folder\n", FILENAME, FNR, name, where[name]
      found++
    }
    before = before name "("
    rest = substr(rest, RSTART + RLENGTH)
  }
}
END {
  if (!found) print "no header calls a function of a later folder"
  exit found > 0
}' "$@" "$@"
