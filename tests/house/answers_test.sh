#!/usr/bin/env bash
# Standard output of ./dev bench, run, crash and check sim is the program's alone, so that it can be parsed or kept;
# what the build says goes to standard error, and a build that fails leaves standard output empty.
#
# A copy of ./dev in a project of its own, whose build talks and whose programs print one JSON value. A copy that lets
# the build write to standard output is found out.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
# shellcheck source=tests/house/dev_copy.sh
. "$root/tests/house/dev_copy.sh"
place=$(mktemp -d)
trap 'rm -rf -- "$place"' EXIT

failures=0
fail() {
  printf '%s\n' "$@"
  failures=$((failures + 1))
}

export XDG_CACHE_HOME=$place/cache
mkdir -p "$XDG_CACHE_HOME/kappa/caf-0.18.7" # as if it had been built
project=$place/project
copy_dev "$root" "$project"

# One that says what it was called with, and one that a build makes of it, with words on both outputs.
cat >"$place/program" <<'SCRIPT'
#!/usr/bin/env python3
import json, sys
print(json.dumps({"program": sys.argv[0].rsplit("/", 1)[-1], "arguments": sys.argv[1:]}))
SCRIPT
cat >"$place/make-program" <<SCRIPT
#!/usr/bin/env bash
echo "compiling \$1"
echo "warning about \$1" >&2
[[ ! -e $place/broken ]] || exit 1
mkdir -p "\${1%/*}"
cp "$place/program" "\$1"
chmod +x "\$1"
touch "\$2"
SCRIPT
chmod +x "$place/make-program"
declare -A programs=([kappa_bench]=bench/kappa_bench [flights]=examples/flights/flights
  [kappa_crash]=tests/crash/kappa_crash [kappa_sim]=tests/sim/kappa_sim)
{
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(fake LANGUAGES NONE)'
  # As in Kappa: ninja looks at each build whether files have come, and says so.
  printf '%s\n' 'file(GLOB sources CONFIGURE_DEPENDS *.cpp)'
  for target in "${!programs[@]}"; do
    printf '%s\n' "add_custom_command(OUTPUT made-$target COMMAND $place/make-program ${programs[$target]} made-$target)" \
      "add_custom_target($target ALL DEPENDS made-$target)"
  done
} >"$project/CMakeLists.txt"

# answer WANTED COMMAND…: whether ./dev's standard output is exactly that. What it said is in $place/out and $place/err.
answer() {
  local wanted=$1 status=0
  shift
  "$project/dev" "$@" >"$place/out" 2>"$place/err" </dev/null || status=$?
  [[ $status == 0 && $(<"$place/out") == "$wanted" ]]
}

# answers: of all commands whose standard output is a program's, on a fresh build and on one with nothing to do.
answers() {
  local round
  rm -rf -- "$project/build"
  for round in "first" "second"; do
    answer '{"program": "kappa_bench", "arguments": ["--json"]}' bench --json || return 1
    [[ $round == second ]] || grep -q '^compiling bench/kappa_bench' "$place/err" || return 1
    answer '{"program": "flights", "arguments": ["--help"]}' run --help || return 1
    answer '{"program": "kappa_crash", "arguments": ["--kills", "3"]}' crash --kills 3 || return 1
    answer '{"program": "kappa_sim", "arguments": ["--seed", "7"]}' check sim --seed 7 || return 1
  done
}

answers || fail "standard output is not the program's alone, or the build is silent:" "$(<"$place/out")" "--- and stderr:" "$(<"$place/err")"

touch "$place/broken"
rm -rf -- "$project/build"
if answer "" bench --json; then
  fail "a build that fails: exit code 0"
elif [[ -s $place/out ]] || ! grep -q '^compiling bench/kappa_bench' "$place/err"; then
  fail "a build that fails: on standard output:" "$(<"$place/out")" "--- and stderr:" "$(<"$place/err")"
fi
rm "$place/broken"

# Without what keeps them apart this test must fail.
sed -i '/cmake --build/s/ >&2//' "$project/dev"
! cmp -s "$root/dev" "$project/dev" || fail "./dev has changed: break its copy in another way"
! answers || fail "a build that writes to standard output is not found"
grep -q '^compiling bench/kappa_bench' "$place/out" || fail "… but by its words on standard output:" "$(<"$place/out")"

exit $((failures > 0))
