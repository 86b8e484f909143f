#!/bin/sh
# Every citation label in the headers' comments, as [Vaswani17 Eq.1] or [Milakov18 Alg.3; FA2 §2.3], stands in the section
# "References" of include/attn/README.md, in a line "- **[Vaswani17]** …". usage: references.sh INCLUDE_DIR
cd "$1/attn" || exit 1
[ -f README.md ] || {
  echo "include/attn/README.md is not there"
  exit 1
}
# shellcheck disable=SC2046 # no file name has a space
LC_ALL=C awk '
FILENAME == "README.md" {
  if (/^## /) references = /^## References/
  if (references && match($0, /^- \*\*\[[^]]+\]\*\*/)) {
    known[substr($0, RSTART + 5, RLENGTH - 8)] = 1
    count++
  }
  next
}
# A label is a name and two digits, or a name and a year: "Vaswani17", "FA2", "Clifford 1873".
function cited(label) {
  labels++
  if (label in known) return
  printf "%s:%d cites [%s], which include/attn/README.md does not explain\n", FILENAME, FNR, label
  missing++
}
match($0, /\/\/.*/) {
  rest = substr($0, RSTART)
  while (match(rest, /(\[|; |, )[A-Z][A-Za-z]*( [12])?[0-9]+[];, ]/)) {
    label = substr(rest, RSTART, RLENGTH - 1)
    opens = substr(label, 1, 1) == "["
    rest = substr(rest, RSTART + RLENGTH - 1)
    sub(/^(\[|; |, )/, "", label)
    if (opens) inside = 1
    if (inside || opens) cited(label)
    if (rest ~ /^\]/) inside = 0
  }
}
{ if (/\]/) inside = 0 }
END {
  printf "%d citations, %d references, %d not explained\n", labels, count, missing
  exit missing > 0 || labels == 0
}' README.md $(find . -name '*.hpp' | sed 's,^\./,,' | LC_ALL=C sort)
