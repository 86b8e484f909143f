#!/bin/sh
# Universal Ctags finds a definition in at least 95 % of the headers that define anything: editors and search tools then find it
# too. Ends with 77, skipped, where it is not installed. usage: ctags.sh INCLUDE_DIR
cd "$1" || exit 1
ctags --version 2>/dev/null | grep -q 'Universal Ctags' || {
  echo "Universal Ctags is not installed: skipped"
  exit 77
}
defining=0
blind=""
for header in $(find attn -name '*.hpp' | LC_ALL=C sort); do
  # At namespace scope, in column 0: a type, a function, a constant or an alias.
  grep -Eq '^(template|struct|class|enum|using|concept|inline|constexpr)|^[A-Za-z_][A-Za-z0-9_:<>, *&]* [*&]*[a-zA-Z_0-9]+\(' "$header" || continue
  defining=$((defining + 1))
  ctags -x -u --languages=C++ --langmap=C++:.hpp --kinds-C++=cefgstuv "$header" | grep -q . || blind="$blind $header"
done
# shellcheck disable=SC2086 # the names are words
set -- $blind
echo "Universal Ctags finds definitions in $((defining - $#)) of $defining headers${1:+; in none of these:$blind}"
[ "$defining" -gt 0 ] && [ $(($# * 100)) -le $((defining * 5)) ]
