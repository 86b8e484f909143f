#!/bin/sh
# Object files of one program that were compiled in different ways may share what the process has only one of, the executor and
# its tasks, and the exceptions, and no other function of attn: a linker keeps either body. usage: shared_symbols.sh NM OBJECT OBJECT...
set -eu
nm=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count=0
for object in "$@"; do
  count=$((count + 1))
  "$nm" "$object" | awk '$2 ~ /^[WVuv]$/ { print $3 }' | grep 4attn | LC_ALL=C sort -u >"$work/$count"
  [ -s "$work/$count" ] || { echo "$object has no function of attn"; exit 1; }
done
LC_ALL=C sort "$work"/* | uniq -d | sed 's/4attn4Task//g; s/4attn7process//g; s/4attn5Error//g; s/4attn[0-9]*\(Shape\|Option\|File\)Error//g' | grep 4attn >"$work/shared" || true
if [ -s "$work/shared" ]; then
  echo "these would be merged, whichever way they were compiled:"
  c++filt <"$work/shared" | head -n 20
  exit 1
fi
echo "$count ways of compiling share no function but those of the executor and the exceptions"
