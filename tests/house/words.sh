#!/bin/sh
# The words of words.txt: those to avoid occur nowhere, those to find are there. usage: words.sh PROJECT_DIR
cd "$1" || exit 1
list=tests/house/words.txt
files=$(
  find include examples bench tests cmake -type f \( -name '*.[ch]pp' -o -name '*.cmake' -o -name '*.in' -o -name '*.py' -o -name '*.sh' -o -name '*.md' -o -name '*.awk' -o -name CMakeLists.txt \) \
    ! -path 'tests/contract/*.cpp' ! -path 'tests/data/*' ! -path 'examples/data/*' | LC_ALL=C sort
  ls README.md CONTRIBUTING.md CHANGELOG.md CMakeLists.txt CMakePresets.json .ci/run .ci/minilm
)
faults=0
while IFS= read -r line; do
  case $line in
    '' | '#'*) ;;
    '+ '*)
      grep -rqi -- "${line#+ }" include README.md && continue
      echo "include/ and README.md nowhere say: ${line#+ }"
      faults=$((faults + 1))
      ;;
    *)
      # shellcheck disable=SC2086 # no file name has a space
      found=$(grep -nEi -- "${line% => *}" $files /dev/null) || continue
      count=$(printf '%s\n' "$found" | wc -l)
      printf '\n%d lines; write instead: %s\n%s\n' "$count" "${line#* => }" "$found"
      faults=$((faults + count))
      ;;
  esac
done <$list
echo "$faults faults"
[ "$faults" -eq 0 ]
