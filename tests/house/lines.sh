#!/bin/sh
# No line of C++ has more than 100 columns, and clang-format 16 has nothing to change. usage: lines.sh PROJECT_DIR
# What is kept byte for byte (tests/contract) is left out.
cd "$1" || exit 1
files=$(find include examples tests bench -name '*.[ch]pp' ! -path 'tests/contract/*' | LC_ALL=C sort)
status=0

# Bytes that continue a character of UTF-8 take no column.
# shellcheck disable=SC2086 # no file name has a space
LC_ALL=C awk '{
  line = $0
  gsub(/[\200-\277]/, "", line)
  if (length(line) > 100) { printf "%s:%d has %d columns\n", FILENAME, FNR, length(line); found++ }
}
END { exit found > 0 }' $files || status=1

if command -v clang-format-16 >/dev/null; then
  # shellcheck disable=SC2086
  clang-format-16 --dry-run -Werror $files || status=1
else
  echo "clang-format-16 is not installed: the layout is not checked"
fi
exit $status
