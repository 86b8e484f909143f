#!/bin/sh
# The programs attention (its date), train_dates and train_characters: what they refuse, and what they write.
# usage: dates.sh ATTENTION TRAIN_DATES TRAIN_CHARACTERS
attention=$1 train_dates=$2 train_characters=$3
text=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
. "$(dirname "$0")/programs.sh"

refuses 'the date "31 February 2017" does not exist; it must be one of the calendar*' "$attention" --date '31 February 2017'
refuses 'the date "Tuesday, 12 June 2017" must have its own weekday, Monday' "$attention" --date 'Tuesday, 12 June 2017'
refuses 'the date "12 März 2017" has "ä"; *' "$attention" --date '12 März 2017'
refuses 'the date "" has 0 letters; *' "$attention" --date ''
refuses '--steps = 0 must be from 1 to 100000000' "$train_dates" --steps 0
refuses '--batch = 5000 must be from 1 to 4096' "$train_dates" --batch 5000
refuses '"nowhere/a.safetensors" must be a file in a folder that can be written to' "$train_dates" --output nowhere/a.safetensors
mkdir a && refuses_folder=$("$train_dates" --output a 2>&1)
rmdir a
[ "$refuses_folder" = 'train_dates: "a" must be a file in a folder that can be written to' ] || fail "train_dates --output a folder: $refuses_folder"
refuses 'load_safetensors: cannot read "nothing"*' "$train_dates" --resume nothing
refuses '--seed: -1 must be at least 0' "$attention" --seed -1
refuses '--seed: -1 must be at least 0' "$train_dates" --seed -1
refuses 'cannot read "nothing"; it must be a file' "$train_characters" nothing
refuses 'cannot read "/"; it must be a file' "$train_characters" /
refuses 'there is not enough memory for these options' "$train_characters" "$text" --width 100000000
refuses '--minutes = inf must be at least 0 and finite' "$train_characters" "$text" --minutes inf
refuses '--temperature = -1 must be at least 0' "$train_characters" "$text" --temperature -1

"$train_dates" --steps 4 --batch 4 --output a.safetensors --plot a.png >a.log || fail "train_dates: status $?"
grep -q 'of 2,000 held-out dates [0-9.]* % exactly right' a.log || fail "train_dates does not print how many dates were right: $(cat a.log)"
[ "$(wc -c <a.safetensors)" -le 600000 ] || fail "train_dates: the model has $(wc -c <a.safetensors) bytes"
is_png a.png
"$train_dates" --resume a.safetensors >b.log 2>&1 && fail "train_dates resumed what is no checkpoint"

# Ctrl-C saves a checkpoint and prints the command that resumes the run; that command works.
"$train_dates" --batch 2 --steps 1000000 >b.log 2>&1 &
program=$!
tries=0
while ! grep -q 'examples/s' b.log && [ $tries -lt 60 ]; do sleep 1 && tries=$((tries + 1)); done
kill -INT $program
wait $program
status=$?
[ "$status" -eq 130 ] || fail "train_dates after Ctrl-C: status $status instead of 130"
grep -q "^saved at step [0-9]*; to resume: $train_dates --batch 2 --steps 1000000 --resume dates.checkpoint\$" b.log || fail "train_dates after Ctrl-C said: $(cat b.log)"
"$train_dates" --steps 1 --resume dates.checkpoint >b.log 2>&1 && fail "train_dates took a checkpoint that is further than it was to go"
grep -q 'steps = 1 must be more than the [0-9]* that the checkpoint has done' b.log || fail "train_dates with too few steps said: $(cat b.log)"
"$train_dates" --batch 2 --steps 1000000 --minutes 0.02 --resume dates.checkpoint --output b.safetensors --plot b.png >b.log || fail "train_dates did not resume: status $?"
is_png b.png
"$train_characters" "$text" --resume dates.checkpoint >b.log 2>&1 && fail "train_characters resumed a run of train_dates"

"$train_characters" "$text" --steps 3 --batch 2 --context 16 --width 16 --sample 20 --prompt '#!' --output c.safetensors --plot c.png >c.log || fail "train_characters: status $?"
grep -q '^#!.' c.log || fail "train_characters wrote no sample: $(cat c.log)"
is_png c.png
exit "$failed"
