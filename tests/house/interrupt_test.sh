#!/usr/bin/env bash
# ./dev that is interrupted in the middle of building a dependency, or of its own build, leaves nothing half-done, and
# goes on when it is called again.
#
# A copy of ./dev and its set-up, in a project and a cache of its own. The source of CAF is a fake one that stands still
# in the middle of its build, once; so does the project.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
# shellcheck source=tests/house/dev_copy.sh
. "$root/tests/house/dev_copy.sh"
place=$(mktemp -d)
dev=
# shellcheck disable=SC2317 # the trap calls it
clean_up() {
  [[ -z $dev ]] || kill -KILL -- "-$dev" 2>/dev/null || true
  [[ ! -s $place/still ]] || kill -KILL "$(<"$place/still")" 2>/dev/null || true
  rm -rf -- "$place"
}
trap clean_up EXIT

failures=0
fail() {
  printf '%s\n' "$@"
  failures=$((failures + 1))
}

project=$place/project
export XDG_CACHE_HOME=$place/cache
cache=$XDG_CACHE_HOME/kappa
mkdir -p "$cache/sources" "$place/actor-framework"

# Stands still the first time, and makes its product the second time.
cat >"$place/make-product" <<SCRIPT
#!/usr/bin/env bash
if mkdir "$place/stood-still" 2>/dev/null; then
  printf 'half' >"\$1"
  echo \$\$ >"$place/still.new"
  mv "$place/still.new" "$place/still"
  exec sleep 1000
fi
printf 'whole' >"\$1"
SCRIPT
chmod +x "$place/make-product"
cmake_text() { # HOW-IT-IS-INSTALLED
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(fake LANGUAGES NONE)' \
    "add_custom_command(OUTPUT product COMMAND $place/make-product product)" \
    'add_custom_target(all_of_it ALL DEPENDS product)' "$@"
}
# shellcheck disable=SC2016 # CMake's variable
cmake_text 'install(FILES ${CMAKE_CURRENT_BINARY_DIR}/product DESTINATION lib)' >"$place/actor-framework/CMakeLists.txt"
tarball=actor-framework_0.18.7.orig.tar.gz
tar -C "$place" -czf "$cache/sources/$tarball" actor-framework

copy_dev "$root" "$project"
cmake_text >"$project/CMakeLists.txt"
sum=$(sha256sum "$cache/sources/$tarball")
sed -i "s/^readonly caf_sha256=.*/readonly caf_sha256=${sum%% *}/" "$project/scripts/setup.sh"
grep -q "^readonly caf_source=actor-framework=0.18.7-" "$project/scripts/setup.sh" || fail "another CAF: name its tarball here"

stands_still() {
  local _
  for _ in {1..600}; do
    [[ ! -s $place/still ]] || return 0
    kill -0 "$dev" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# is_gone PID: soon, or it has ended and nobody has asked for its exit code.
is_gone() {
  local _
  for _ in {1..50}; do
    [[ -r /proc/$1/stat && $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) != Z* ]] || return 0
    sleep 0.1
  done
  return 1
}

# interrupt HOW SIGNAL ALL|ONE COMMAND…: starts ./dev, and signals it (with its group, as a terminal does, or it alone)
# when the build stands still. A shell's background jobs ignore SIGINT, hence `env`.
interrupt() {
  local how=$1 signal=$2 whom=$3 status=0 left
  shift 3
  rm -rf -- "$place/stood-still" "$place/still"
  setsid env --default-signal=INT,TERM,HUP "$project/dev" "$@" >"$place/said" 2>&1 </dev/null &
  dev=$!
  if ! stands_still; then
    fail "$how: it never stood still:" "$(<"$place/said")"
    return
  fi
  if [[ $whom == all ]]; then kill "-$signal" -- "-$dev"; else kill "-$signal" "$dev"; fi
  wait "$dev" 2>/dev/null || status=$?
  dev=
  ((status != 0)) || fail "$how: exit code 0"
  if [[ $signal == KILL ]]; then
    kill -KILL "$(<"$place/still")" # nobody else can
    return
  fi
  is_gone "$(<"$place/still")" || fail "$how: what it started runs on"
  left=$(compgen -G "$cache/tmp.*" || true)
  [[ -z $left ]] || fail "$how: it left $left"
}

# whole FILE: what was made is there and is not half of it.
whole() { [[ -f $1 && $(<"$1") == whole ]]; }

installed=$cache/caf-0.18.7/lib/product
for way in "Ctrl-C INT all" "SIGTERM TERM one" "SIGHUP HUP one" "SIGKILL KILL one"; do
  read -r name signal whom <<<"$way"
  rm -rf -- "$cache/caf-0.18.7"
  interrupt "a dependency, $name" "$signal" "$whom" setup
  [[ ! -e $cache/caf-0.18.7 ]] || fail "a dependency, $name: half an installation is left"
  "$project/dev" setup >"$place/said" 2>&1 || fail "a dependency, $name, and once more:" "$(<"$place/said")"
  whole "$installed" || fail "a dependency, $name, and once more: it is not installed:" "$(<"$place/said")"
  [[ -z $(compgen -G "$cache/tmp.*" || true) ]] || fail "a dependency, $name, and once more: a temporary folder is left"
  rm -rf -- "$place/stood-still" # whoever builds it again would stand still
  timeout 60 "$project/dev" setup >"$place/said" 2>&1 || fail "a dependency, $name, and a third time: it was built again"
done

interrupt "its own build, Ctrl-C" INT all build
! whole "$project/build/plain/product" || fail "its own build, Ctrl-C: it was not in the midst"
"$project/dev" build >"$place/said" 2>&1 || fail "its own build, and once more:" "$(<"$place/said")"
whole "$project/build/plain/product" || fail "its own build, and once more: what was half made was kept"

exit $((failures > 0))
