#!/bin/sh
# Whatever fails on whichever rank, a run ends soon, with a status that is not 0, and one line of ours.
# usage: failing_ranks.sh MPIEXEC PROGRAM
set -eu
mpiexec=$1 program=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
faults=0

# expect RANKS WAY RANK LINE: the line that is printed, none if it is empty
expect() {
  status=0
  timeout 60 "$mpiexec" -n "$1" "$program" "$2" "$3" >"$log" 2>&1 || status=$?
  lines=$(grep -E "rank [0-9]+ of [0-9]+" "$log" || true)
  if [ $status -eq 0 ] || [ $status -eq 124 ] || [ "$lines" != "$4" ]; then
    printf '%s ranks, %s on rank %s: status %s, expected "%s", got:\n' "$1" "$2" "$3" $status "$4"
    cat "$log"
    faults=$((faults + 1))
  fi
}

for rank in 0 1 3; do
  expect 4 before $rank "rank $rank of 4: before the operation"
  expect 4 foreign $rank "rank $rank of 4: an exception that is no std::exception"
  expect 4 after $rank "rank $rank of 4: after the operation"
  expect 4 inside $rank "rank $rank of 4: inside"
  expect 4 memory $rank "rank $rank of 4: std::bad_alloc"
  expect 4 alone $rank "rank $rank of 4: alone"
  expect 4 attention-rule $rank "rank $rank of 4: in a rule"
  expect 4 attention-parameter $rank "rank $rank of 4: in a slope"
  expect 4 attention-rows $rank "rank $rank of 4: SequenceParallel: query (1, 2, 226, 8) must have the 225 positions that are here, of 900"
  expect 4 kill $rank ""
done
expect 4 return 0 "rank 1 of 4 calls Operation: shape (1, 2), rank 0 calls return (the function of mpi::run has ended)"
for rank in 1 3; do
  expect 4 return $rank "rank $rank of 4 calls return (the function of mpi::run has ended), rank 0 calls Operation: shape (1, 2)"
  expect 4 return-split $rank "rank $rank of 4 calls return (the function of mpi::run has ended), rank 0 calls World::split"
  expect 4 color $rank "rank $rank of 4 calls World::split of color -1, rank 0 calls World::split"
  expect 4 shape $rank "Operation: rank $rank of 4 says shape (1, 3), rank 0 says shape (1, 2)"
  expect 4 attention-heads $rank "SequenceParallel: rank $rank of 4 says query float (1, 4, 900, 8), rank 0 says query float (1, 2, 900, 8)"
  expect 4 two-before $rank "rank 0 of 4: one of two"
  expect 4 two-inside $rank "rank 0 of 4: inside"
done
expect 4 all-before 0 "rank 0 of 4: each by itself"
expect 4 half 3 "rank 1 of 4: rank 1 of 2: in a half"
expect 4 foreign-inside 2 "rank 2 of 4: an exception that is no std::exception"
expect 2 inside 1 "rank 1 of 2: inside"
expect 1 before 0 "rank 0 of 1: before the operation"
expect 1 inside 0 "rank 0 of 1: inside"

status=0
timeout 60 "$mpiexec" -n 3 "$program" none 0 >"$log" 2>&1 || status=$?
[ $status -eq 0 ] && [ "$(grep -c "nothing failed" "$log")" -eq 1 ] || { cat "$log"; faults=$((faults + 1)); }
echo "$faults faults"
[ $faults -eq 0 ]
