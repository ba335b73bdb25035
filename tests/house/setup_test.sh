#!/usr/bin/env bash
# The parts of ./dev's set-up that can be tested without installing anything.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
# shellcheck source=scripts/kafka.sh
. scripts/kafka.sh

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

# ---- the broker's Java and jars
# shellcheck disable=SC2317 # java_major calls it
says() { printf '%s\n' "$says" >&2; } # a Java
for version in '17 openjdk version "17.0.15" 2025-04-15' '21 openjdk version "21" 2023-09-19' '1 java version "1.8.0_392"' \
  '17 javac 17.0.15' '21 javac 21' '0 no such thing'; do
  says=${version#* }
  equal "the version in '$says'" "${version%% *}" "$(java_major says)"
done

with_maven() { # succeeds|fails [JAVA-IS-THERE]: what is said at the end of set_up_kafka, and what is in the cache then
  (
    cache=$etc/kafka-$1${2:-}
    install_packages() { die "no packages here"; }
    java_major() { echo "${java:-17}"; }
    java=${2:-}
    # shellcheck disable=SC2317 # setup_java asks it for programs
    command() { :; }
    run_logged() {
      local folder=
      shift
      [[ $1 == mvn ]] || return 0
      [[ $* =~ outputDirectory=([^ ]*) ]] && folder=${BASH_REMATCH[1]}
      mkdir -p "$folder" && touch "$folder/kafka.jar"
      [[ $maven == succeeds ]]
    }
    maven=$1
    set_up_kafka 9.9.9 2>"$etc/said" && echo "is there"
    [[ $(<"$etc/said") != *" done in "* ]] || echo "was fetched"
    grep -o 'no Apache Kafka 9.9.9: .*missing\|no Apache Kafka 9.9.9: Maven cannot fetch its jars' "$etc/said"
    cd "$cache" && find . -name '*.jar'
  ) | paste -sd'|'
}
equal "the first time" "is there|was fetched|./kafka-9.9.9/libs/kafka.jar" "$(with_maven succeeds)"
equal "the second time" "is there|./kafka-9.9.9/libs/kafka.jar" "$(with_maven succeeds)"
equal "offline, and there already" "is there|./kafka-9.9.9/libs/kafka.jar" "$(mkdir -p "$etc/kafka-fails/kafka-9.9.9" &&
  cp -r "$etc/kafka-succeeds/kafka-9.9.9/libs" "$etc/kafka-fails/kafka-9.9.9" && with_maven fails)"
rm -r "$etc/kafka-fails"
equal "offline" "no Apache Kafka 9.9.9: Maven cannot fetch its jars" "$(with_maven fails)"
equal "an old Java, and no other to be had" "no Apache Kafka 9.9.9: Java >= $java_minimum and Maven are missing" \
  "$(with_maven succeeds 11)"

# ---- without Kafka, its tests are left out, and that is said
ctest_gets() { # [KAPPA_WITHOUT_KAFKA]
  (
    KAPPA_WITHOUT_KAFKA=${1:-}
    eval "$(sed -n '/^run_ctest() {/,/^}/p' dev)"
    # shellcheck disable=SC2317 # run_ctest calls it
    ctest() { printf '%s\n' "$*"; }
    # shellcheck disable=SC2317
    use_memory_folder() { :; }
    run_ctest "$etc" 2>&1
  ) | sed 's/.*KAPPA_WITHOUT_KAFKA: /said: /; s/.*-LE \([^ ]*\)/left out \1/; s/.*no-tests=error.*/all/' | paste -sd'|'
}
equal "with Kafka" "all" "$(ctest_gets)"
equal "without Kafka" 'said: without the tests that need a Kafka broker|left out ^kafka$' "$(ctest_gets 1)"

# ---- --log kafka, wherever it stands
log_and_others() {
  eval "$(sed -n '/^take_log_kafka() {/,/^}/p' dev)"
  take_log_kafka "$@"
  # shellcheck disable=SC2154 # take_log_kafka sets them
  printf '%s %s' "$log_is_kafka" "${others[*]}"
}
equal "--log kafka first" "1 --faults 3" "$(log_and_others --log kafka --faults 3)"
equal "--log kafka last" "1 --faults 3" "$(log_and_others --faults 3 --log kafka)"
equal "--log=kafka" "1 --out x" "$(log_and_others --out --log=kafka x)"
equal "another log" "0 --log memory: --rate 3" "$(log_and_others --log memory: --rate 3)"
equal "nothing" "0 " "$(log_and_others)"

exit $((failures > 0))
