#!/bin/sh
# One statement a line: no statements joined by a comma; in the library also at most five parameters, and lambdas of at most a
# dozen lines, but for stb's own functions. usage: statements.sh PROJECT_DIR
cd "$1" || exit 1
here=tests/house/statements.awk
status=0
# shellcheck disable=SC2046 # no file name has a space
awk -v header=1 -f $here $(find include -name '*.hpp' ! -path '*/plot/stb.hpp' | LC_ALL=C sort) || status=1
awk -f $here $(find examples tests bench -name '*.[ch]pp' ! -path 'tests/contract/*' | LC_ALL=C sort) || status=1
exit $status
