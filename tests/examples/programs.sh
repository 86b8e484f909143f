# What the tests of the programs share, read by `.`. They run in a temporary folder, $folder.
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder" "$folder.out"' EXIT
cd "$folder" || exit 1
failed=0
fail() { echo "$*" && failed=1; }

# refuses PATTERN PROGRAM ARGUMENT...: status 2, nothing on standard output, one sentence that begins with the program's name, no file.
refuses() {
  pattern=$1
  shift
  message=$("$@" 2>&1 >"$folder.out")
  status=$?
  [ "$status" -eq 2 ] || fail "$*: status $status instead of 2"
  [ ! -s "$folder.out" ] || fail "$*: something was printed"
  [ "$(printf '%s\n' "$message" | wc -l)" -eq 1 ] || fail "$*: more than one line: $message"
  case $message in "$(basename "$1"): "$pattern) ;; *) fail "$*: $message" ;; esac
  [ -z "$(ls -A)" ] || fail "$*: left $(ls -A)"
}
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$1 is no picture"; }
