#!/usr/bin/env bash
# The parts of ./dev's set-up that can be tested without installing anything.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh

failures=0
equal() { # WHAT WANTED GOT
  [[ $2 == "$3" ]] || {
    printf '%s: wanted "%s", got "%s"\n' "$@"
    failures=$((failures + 1))
  }
}
# shellcheck source=/dev/null
codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
etc=$(mktemp -d)
trap 'rm -rf -- "$etc"' EXIT
mkdir "$etc/sources.list.d"

equal "no sources at all" "none" "$(debian_mirror "$etc" || echo none)"

printf '%s\n' "# deb http://commented.example/debian $codename main" \
  "deb [arch=amd64 signed-by=/x/y.gpg] https://third.example/packages $codename main" \
  "deb http://security.example/debian-security $codename-security main" \
  "deb-src http://source.example/debian $codename main" \
  "deb [trusted=no] http://old.example/pub/debian/ $codename main contrib" >"$etc/sources.list"
equal "the one-line format" "http://old.example/pub/debian" "$(debian_mirror "$etc")"

printf '%s\n' "Types: deb" "URIs: http://other.example/chrome" "Suites: stable" "Components: main" "" \
  "Enabled: no" "Types: deb" "URIs: http://off.example/debian" "Suites: $codename" "Components: main" "" \
  "# a comment" "Types: deb deb-src" "URIs: http://new.example/debian http://second.example/debian" \
  "Suites: $codename-updates" " $codename" "Components: contrib main" "Signed-By: /x/y.gpg" \
  >"$etc/sources.list.d/debian.sources"
equal "the deb822 format" "http://new.example/debian" "$(debian_mirror "$etc")"

rm "$etc/sources.list"
printf '%s\n' "Types: deb" "URIs: mirror+file:///x/mirrors/debian.list" "Suites: $codename" "Components: main" \
  >"$etc/sources.list.d/debian.sources"
equal "a list of mirrors" "mirror+file:///x/mirrors/debian.list" "$(debian_mirror "$etc")"
equal "named by hand" "http://hand.example/debian" "$(KAPPA_DEBIAN_MIRROR=http://hand.example/debian debian_mirror "$etc")"

equal "packages that are there" "" "$(missing_packages bash coreutils)"
equal "one that is not" "kappa-no-such-package" "$(missing_packages bash kappa-no-such-package)"

equal "a wrong command" "dev: error: no command 'tset'; did you mean 'test'?" "$(./dev tset 2>&1 | sed 's/ (.*//')"
equal "a wrong kind" "dev: error: no kind of build 'tasn'; did you mean 'asan'?" "$(./dev build tasn 2>&1 | sed 's/ (.*//')"

# ---- librdkafka that cannot be had is an error, and is done without only when asked to
without_rdkafka() { # [KAPPA_WITHOUT_KAFKA]
  (
    cache=$etc/empty-cache
    KAPPA_WITHOUT_KAFKA=${1:-}
    pkg-config() { return 1; }
    install_packages() { return 0; }
    private_apt() { return 1; }
    setup_rdkafka 2>&1 && echo went on
  ) | sed 's/ cannot be had.*/ cannot be had/' | tail -n 1
}
equal "no librdkafka" "dev: error: librdkafka >= $rdkafka_minimum cannot be had" "$(without_rdkafka)"
equal "no librdkafka, and none wanted" "went on" "$(without_rdkafka 1)"

exit $((failures > 0))
