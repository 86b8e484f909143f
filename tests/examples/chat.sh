#!/bin/sh
# The program chat: what it refuses, always, and what it answers, where ATTN_SMOLLM2 names the file of SmolLM2-135M-Instruct.
# usage: chat.sh PROGRAM
program=$1
model=$ATTN_SMOLLM2
. "$(dirname "$0")/programs.sh"
refuses_to() { pattern=$1 && shift && refuses "$pattern" "$program" "$@"; }

refuses_to 'model is required'
refuses_to 'load_gguf: cannot read "nothing": *' nothing
refuses_to '--context = 1 must be at least 2' nothing --context 1
refuses_to 'generate: temperature = -1 must be at least 0 and finite' nothing --temperature -1
refuses_to 'generate: top_p = 2 must be at least 0 and at most 1' nothing --top-p 2
refuses_to '--seed: -1 must be at least 0' nothing --seed -1
refuses_to '--seed: 18446744073709551616 must be less than 2^64' nothing --seed 18446744073709551616
echo text >"$folder.text"
refuses_to 'load_gguf: "*.text": the file must begin with GGUF, which it does not' "$folder.text"
rm "$folder.text"
refuses_to '--prompt and --system must be text in UTF-8' nothing --prompt "$(printf 'b\377d')"
mkdir "$folder.empty"
refuses_to 'load_language_model: the folder "*.empty" must have a file config.json' "$folder.empty"
rmdir "$folder.empty"
if [ -z "$model" ]; then
  [ "$failed" -eq 0 ] && echo "ATTN_SMOLLM2 does not name the model's file: what the program answers was skipped"
  exit "$failed"
fi

refuses_to '--attention = "30,0" must be LAYER,HEAD, a layer from 0 to 29 and a head from 0 to 8' "$model" --attention 30,0
refuses_to 'the conversation has * tokens; it must have fewer than the context, 10' "$model" --context 10 --prompt "What is the capital of France?"

said=$("$program" "$model" --prompt "What is the capital of France?" 2>speed) || fail "a prompt: status $?"
case $said in *Paris*) ;; *) fail "the capital of France: $said" ;; esac
greeted=$("$program" "$model" --prompt "hi" --temperature 0 --max-tokens 20 2>speed)
named=$("$program" "$model" --prompt "hi" --temperature 0 --max-tokens 20 2>speed --system \
  "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
alone=$("$program" "$model" --prompt "hi" --temperature 0 --max-tokens 20 2>speed --system "")
[ "$greeted" = "$named" ] || fail "the model's own system turn is not the default: $greeted / $named"
[ "$greeted" != "$alone" ] || fail "--system \"\" does not leave the system turn out: $greeted"
grep -q '^\[[0-9]* tokens, [0-9.]* a second\]$' speed || fail "no speed: $(cat speed)"
printf 'I have a red cat.\n\nWhich color has it?\n' | "$program" "$model" --max-tokens 24 --attention 5,3 --output a.png >said 2>speed ||
  fail "a conversation: status $?"
alone=$(echo 'Which color has it?' | "$program" "$model" --max-tokens 24 2>>speed) || fail "one line: status $?"
[ "$(tail -n 1 said)" != "$(printf '%s\n' "$alone" | tail -n 1)" ] || fail "the second answer does not depend on the first turn: $alone"
is_png a.png
one=$("$program" "$model" --prompt "Tell me a story." --temperature 1 --seed 5 --max-tokens 20 2>speed)
two=$("$program" "$model" --prompt "Tell me a story." --temperature 1 --seed 5 --max-tokens 20 2>speed)
other=$("$program" "$model" --prompt "Tell me a story." --temperature 1 --seed 6 --max-tokens 20 2>speed)
[ "$one" = "$two" ] && [ "$one" != "$other" ] || fail "the seed does not choose the answer: $one / $two / $other"

# Ctrl-C ends the answer and not the program.
mkfifo lines
"$program" "$model" <lines >said 2>speed &
running=$!
exec 3>lines
echo 'Count from one to one thousand in words.' >&3
tries=0
while [ ! -s said ] && [ $tries -lt 60 ]; do sleep 1 && tries=$((tries + 1)); done
kill -INT $running
tries=0
while [ ! -s speed ] && [ $tries -lt 60 ]; do sleep 1 && tries=$((tries + 1)); done
echo 'What is the capital of France?' >&3
exec 3>&-
wait $running || fail "a conversation with Ctrl-C: status $?"
tail -n 1 said | grep -q Paris || fail "after Ctrl-C: $(cat said)"
exit "$failed"
