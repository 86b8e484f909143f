#!/bin/sh
# A rank is killed at several moments while a checkpoint is written: the file is whole, of the old or the new step.
# usage: killed_while_saving.sh MPIEXEC PROGRAM
set -eu
mpiexec=$1 program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for milliseconds in 40 83 131 200 301; do
  status=0
  timeout 60 "$mpiexec" -n 3 "$program" "$folder/run.safetensors" $milliseconds >"$folder/log" 2>&1 || status=$?
  [ $status -ne 0 ] && [ $status -ne 124 ] || { cat "$folder/log"; echo "a killed rank must end the run, but its status is $status"; exit 1; }
  timeout 60 "$mpiexec" -n 2 "$program" "$folder/run.safetensors" 0
done
