# shellcheck shell=bash
# Set-up of the real Apache Kafka that tests and `./dev kafka` run: Java and Maven from Debian, the jars by Maven.
#
# Sourced by ./dev after setup.sh, whose tools and lock it uses. The jars go to <cache>/kafka-<version>/libs, by rename;
# where Maven gets them from is the machine's own business (its settings.xml). tests/kafka/harness runs them.
# shellcheck disable=SC2154 # its cache and work

readonly java_minimum=17
readonly harness=tests/kafka/harness

kafka_harness() { python3 -B "$harness" "$@"; }

# What the harness itself is made with; ./dev's other commands have installed it.
kafka_programs() {
  if ! command -v python3 >/dev/null || ! command -v openssl >/dev/null; then
    lock_cache
    install_packages python3 openssl
    unlock_cache
  fi
}

# The major version of java or javac; 0 where it says none.
java_major() {
  local text
  text=$("$1" -version 2>&1 | sed -nE 's/^(javac|[a-z]+ version) "?([0-9]+).*/\2/p' | head -n 1)
  printf '%s' "${text:-0}"
}

setup_java() {
  local program want=()
  for program in java javac; do
    if ! command -v "$program" >/dev/null || (($(java_major "$program") < java_minimum)); then
      want=(default-jdk-headless)
    fi
  done
  command -v mvn >/dev/null || want+=(maven)
  ((${#want[@]} == 0)) || install_packages "${want[@]}"
}

# What is asked of Maven: the broker, its command line tools without Kafka Connect, and a logger.
kafka_pom() { # VERSION
  cat <<XML
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>kappa</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$1</version></dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$1</version>
      <exclusions>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
}

setup_kafka_jars() { # VERSION
  local version=$1 started=$SECONDS log=$cache/kafka-$1.log stage
  [[ ! -d $cache/kafka-$version/libs ]] || return 0
  make_work
  stage=$work/kafka
  mkdir -p -- "$stage" "$cache/kafka-$version"
  kafka_pom "$version" >"$stage/pom.xml"
  : >"$log"
  say "Apache Kafka $version: its jars (about 45 MB), once"
  # The plugin is named with a version that Debian 12's Maven can run, so that every machine takes the same.
  if ! run_logged "$log" mvn -B -f "$stage/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$stage/libs"; then
    show_log "$log"
    return 1
  fi
  mv -T -- "$stage/libs" "$cache/kafka-$version/libs" || return 1
  note "Apache Kafka $version: done in $((SECONDS - started)) s"
}

# Not needed, but it halves the time that a broker takes to start.
setup_class_data() { # VERSION
  local log=$cache/kafka-$1.log
  run_logged "$log" python3 -B "$harness" archive --version "$1" || note "brokers will start slower: no class data (the log: $log)"
}

# The clients of others whose records are read, and which read ours, in tests. Java's comes with the broker.
set_up_kafka_clients() {
  lock_cache
  (install_packages kcat python3-confluent-kafka) || note "going on: the tests that need them will fail"
  unlock_cache
}

# set_up_kafka [VERSION]: returns 1, having said why, when it cannot be had.
set_up_kafka() {
  local version failed=
  version=${1:-$(kafka_harness version)} || return 1
  lock_cache
  if ! (setup_java); then
    failed="Java >= $java_minimum and Maven are missing: Debian's packages default-jdk-headless and maven have them"
  elif ! setup_kafka_jars "$version"; then
    failed="Maven cannot fetch its jars, which takes the network, once (the log: $cache/kafka-$version.log)"
  else
    setup_class_data "$version"
  fi
  clean_up
  unlock_cache
  [[ -z $failed ]] || { note "no Apache Kafka $version: $failed" && return 1; }
}
