#!/usr/bin/env bash
# run.sh PROGRAM SECONDS: fuzzes one target (kappa_fuzz_<name>), beginning with its corpus. What is new stays in
# found/<name>, what fails in findings/, both beside the program. ./dev check fuzz and the tests call it.
set -euo pipefail

program=$1 seconds=$2
name=${program##*/kappa_fuzz_}
corpus=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/corpus/$name
beside=$(dirname "$program")
mkdir -p "$beside/found/$name" "$beside/findings"

status=0
# Programs that complain to people do it into the void: libFuzzer keeps a standard error of its own.
"$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 -close_fd_mask=3 \
  -artifact_prefix="$beside/findings/$name-" "$beside/found/$name" "$corpus" || status=$?
if ((status != 0)); then
  printf '\n%s failed. Again, with one of its findings:\n' "$name" >&2
  for finding in "$beside/findings/$name"-*; do
    [[ ! -e $finding ]] || printf '  %s %s\n' "$program" "$finding" >&2
  done
  printf 'When it is mended, copy the finding to tests/fuzz/corpus/%s.\n' "$name" >&2
fi
exit "$status"
