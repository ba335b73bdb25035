# shellcheck shell=bash
# Set-up for ./dev: Debian packages, then CAF and librdkafka from Debian's own source packages.
#
# Sourced by ./dev, never run by itself. What is built goes to <user's cache>/kappa/<name>-<version>/, by rename, so a
# folder of that name is always a whole install. Everything on the way lives in one temporary folder in the same cache;
# a trap removes it, and the next run (which alone holds the lock) removes what a SIGKILL left.

readonly caf_version=0.18.7
readonly caf_source=actor-framework=0.18.7-1~exp1
readonly caf_sha256=d5c3abe8fd67a729aab1baeece10367637d903ba335f4c79378bcadfbcd34552
readonly rdkafka_minimum=2.10
readonly rdkafka_mended=mended2  # its builds' names end so (cmake/KappaDependencies.cmake too): another one when more is mended

readonly packages=(
  g++ cmake ninja-build ccache clang-format git pkg-config python3 openssl zstd sqlite3 shellcheck
  libboost1.81-dev libboost-test1.81-dev libboost-json1.81-dev libfmt-dev libexpected-dev
  liblmdb-dev libxxhash-dev libzstd-dev capnproto libcapnp-dev
  libspdlog-dev libcli11-dev libcpp-httplib-dev prometheus-cpp-dev libssl-dev libpq-dev postgresql zlib1g-dev
  libbenchmark-dev
  clang-14 libclang-rt-14-dev # the fuzzers; later clangs of Debian 12 cannot compile its Cap'n Proto as C++20
)
readonly rdkafka_packages=(libcurl4-openssl-dev libsasl2-dev liblz4-dev)

cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/kappa
work=       # the temporary folder, made when first needed
memory=     # another one, of the tests, in memory
child=      # process group of the command that run_logged waits for
CAF_DIR=    # set when a CAF outside the cache is used; ./dev hands it to CMake

say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
  printf 'dev: error: %s\n' "$*" >&2
  exit 1
}

clean_up() {
  if [[ -n $child ]]; then
    kill -TERM -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    child=
  fi
  if [[ -n $work ]]; then
    rm -rf -- "$work"
    work=
  fi
  if [[ -n $memory ]]; then
    rm -rf -- "$memory"
    memory=
  fi
}
interrupted() {
  trap - INT TERM HUP
  printf '\ndev: interrupted; nothing half-done is left, run the same command again to go on\n' >&2
  clean_up
  exit "$1"
}
trap clean_up EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP

# run_logged LOG COMMAND…: output to LOG. In a session of its own, so that a signal to ./dev alone ends the whole tree
# at once; bash would otherwise sit on the signal until the command is done.
run_logged() {
  local log=$1 status=0
  shift
  setsid "$@" >>"$log" 2>&1 </dev/null &
  child=$!
  wait "$child" || status=$?
  child=
  return "$status"
}

show_log() {
  note "last lines of the log:"
  tail -n 30 -- "$1" | sed 's/^/    | /' >&2
}

make_work() {
  [[ -n $work ]] || work=$(mktemp -d "$cache/tmp.XXXXXX")
}

# One set-up at a time in a cache. The lock is on a file descriptor: it ends with its holders, however they end.
lock_cache() {
  mkdir -p -- "$cache" || die "cannot make the cache folder $cache"
  exec 9>"$cache/.lock"
  if ! flock -n 9; then
    say "another ./dev is setting up in $cache: waiting for it"
    flock 9
  fi
  rm -rf -- "$cache"/tmp.??????
}
unlock_cache() { exec 9>&-; }

# ---------------------------------------------------------------------------------------------------- Debian packages

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    command -v sudo >/dev/null || die "these packages must be installed by root, and there is no sudo: ${missing[*]}"
    sudo "$@"
  fi
}

# Prints those of the packages named that are not installed.
missing_packages() {
  local have
  have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$have")
}

install_packages() {
  local missing started=$SECONDS package candidate
  command -v apt-get >/dev/null || die "no apt-get here: ./dev sets itself up on Debian 12 only"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "packages: installing ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  as_root "${apt[@]}" update >&2 || note "apt-get update failed; trying with the lists that are there"
  for package in "${missing[@]}"; do
    candidate=$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^  Candidate: //p')
    if [[ -z $candidate || $candidate == '(none)' ]]; then
      die "Debian package '$package' cannot be had from this machine's apt sources (Debian 12 'main' has it)"
    fi
  done
  as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 || true
  mapfile -t missing < <(missing_packages "${missing[@]}")
  ((${#missing[@]} == 0)) || die "Debian package(s) could not be installed: ${missing[*]} (apt's own message is above)"
  note "packages: done in $((SECONDS - started)) s"
}

# ------------------------------------------------------------------------------------------------ sources from Debian

# debian_sources ETC: "type uri suites… | components…" of each enabled source of apt's, from both file formats.
debian_sources() {
  local file
  for file in "$1"/sources.list.d/*.sources "$1"/sources.list "$1"/sources.list.d/*.list; do
    [[ -r $file ]] || continue
    case $file in
    *.sources)
      awk '
        function flush() {
          if (value["types:"] ~ /(^| )deb( |$)/ && tolower(value["enabled:"]) !~ /^(no|false|without|off|disable)$/) {
            split(value["uris:"], uri, " ")
            print uri[1], value["suites:"], "|", value["components:"]
          }
          delete value
        }
        /^#/ { next }
        /^[ \t]*$/ { flush(); next }
        { if ($0 !~ /^[ \t]/) { field = tolower($1); $1 = "" }
          gsub(/^ +| +$/, "")
          value[field] = (value[field] == "" ? "" : value[field] " ") $0 }
        END { flush() }' "$file"
      ;;
    *)
      awk '
        { sub(/#.*/, "") }
        $1 == "deb" {
          i = 2
          if ($2 ~ /^\[/) { while (i < NF && $i !~ /\]$/) i++; i++ }
          printf "%s %s |", $i, $(i + 1)
          for (i += 2; i <= NF; i++) printf " %s", $i
          print "" }' "$file"
      ;;
    esac
  done
}

# debian_mirror ETC: the address that this machine's own apt uses for Debian's main archive. Third parties have sources
# too: the archive is the one whose address ends in /debian and that has this release, or failing that one of the two.
debian_mirror() {
  local etc=$1 codename
  if [[ -n ${KAPPA_DEBIAN_MIRROR:-} ]]; then
    printf '%s\n' "$KAPPA_DEBIAN_MIRROR"
    return 0
  fi
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
  debian_sources "$etc" | awk -v codename="$codename" '
    $1 ~ /^cdrom:/ || !/ \|.* main( |$)/ || $0 ~ /-security|\/updates / { next }
    { rank = 0
      for (i = 2; $i != "|"; i++) if ($i == codename) rank = 1
      if ($1 ~ /\/debian\/?$/) rank += 2
      if (rank > best) { best = rank; uri = $1 } }
    END { sub(/\/$/, "", uri); if (uri == "") exit 1; print uri }'
}

# private_apt SUITE: an apt of our own that knows only the source packages of that suite. Nothing of the machine's apt
# state is touched, and root is not needed. Sets the array `apt_options`.
private_apt() {
  local suite=$1 mirror state
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -r $keyring ]] || die "no $keyring: install the package debian-archive-keyring"
  mirror=$(debian_mirror /etc/apt) ||
    die "no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d/: the sources of CAF and librdkafka come" \
      "from there (KAPPA_DEBIAN_MIRROR=ADDRESS names another)"
  make_work
  state=$work/apt-$suite
  mkdir -p -- "$state"/{lists,cache/archives}/partial
  printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$state/sources.list"
  apt_options=(-q -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Acquire::Retries=3
    # A frozen mirror's index is old, not wrong: it is signed, and what we take has a pinned sum or a least version.
    -o Acquire::Check-Valid-Until=false)
  ((EUID != 0)) || apt_options+=(-o APT::Sandbox::User=root) # the folder is ours alone, _apt could not read it
  if ! run_logged "$state/log" apt-get "${apt_options[@]}" -o APT::Update::Error-Mode=any update; then
    show_log "$state/log"
    return 1
  fi
}

# fetch_source SUITE PACKAGE=VERSION SHA256 TARBALL: to $cache/sources, checked by apt's signature and by the sum.
fetch_source() {
  local suite=$1 source=$2 sum=$3 tarball=$4 kept=$cache/sources/$4 folder
  if [[ -f $kept ]] && sha256sum --status -c <<<"$sum  $kept"; then
    return 0
  fi
  private_apt "$suite" || return 1
  folder=$work/download
  mkdir -p -- "$folder" "$cache/sources"
  note "fetching $source from Debian's suite '$suite'"
  if ! (cd "$folder" && run_logged "$work/fetch.log" apt-get "${apt_options[@]}" source --download-only --tar-only "$source"); then
    show_log "$work/fetch.log"
    return 1
  fi
  [[ -f $folder/$tarball ]] || { note "$source came without $tarball"; return 1; }
  sha256sum --status -c <<<"$sum  $folder/$tarball" ||
    die "$tarball has another sha256 than expected ($sum): not used"
  mv -- "$folder/$tarball" "$kept"
}

# build_source NAME TARBALL ABOUT CMAKE-OPTION…: into $cache/NAME. Configured for the final place, installed beside it
# (DESTDIR), renamed as the last act.
build_source() {
  local name=$1 tarball=$2 about=$3 started=$SECONDS log
  shift 3
  make_work
  rm -rf -- "$work/source" "$work/build" "$work/stage"
  mkdir -p -- "$work/source"
  tar -xf "$cache/sources/$tarball" -C "$work/source" --strip-components=1
  [[ $name != librdkafka-* ]] || mend_rdkafka "$work/source/src"
  log=$cache/$name.log
  : >"$log"
  note "building $name ($about on 2 cores); log: $log"
  local launcher=()
  ! command -v ccache >/dev/null || launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  if ! { run_logged "$log" env CCACHE_BASEDIR="$work" cmake -S "$work/source" -B "$work/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$cache/$name" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF "${launcher[@]}" "$@" &&
    run_logged "$log" env CCACHE_BASEDIR="$work" cmake --build "$work/build" &&
    run_logged "$log" env DESTDIR="$work/stage" cmake --install "$work/build"; }; then
    show_log "$log"
    return 1
  fi
  local licence
  for licence in "$work"/source/LICENSE*; do
    [[ ! -f $licence ]] || install -D -m 644 -t "$work/stage$cache/$name/share/licenses/${name%%-*}" -- "$licence"
  done
  mv -T -- "$work/stage$cache/$name" "$cache/$name"
  note "$name: done in $((SECONDS - started)) s"
}

# ---------------------------------------------------------------------------------------------------------------- CAF

# find_foreign FILE: folders with a CMake package file of that name, outside our cache, where CMake would look.
find_foreign() {
  local prefix
  local -a prefixes
  IFS=':;' read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}:/usr/local:/usr"
  for prefix in "${prefixes[@]}"; do
    [[ -n $prefix && $prefix != "$cache"/* ]] || continue
    compgen -G "$prefix/lib*/cmake/*/$1" || compgen -G "$prefix/lib/*-linux-gnu*/cmake/*/$1" || true
  done
}

# An installed CAF is used when it is new enough and a small program builds with it; else it is passed over, saying why.
use_installed_caf() {
  local config probe why proven=$cache/.installed-caf
  while read -r config; do
    if [[ -f $proven && $(<"$proven") == "$config $(stat -c '%Y %s' "$config")" ]]; then
      CAF_DIR=$(dirname "$config")
      return 0
    fi
    make_work
    probe=$work/probe
    rm -rf -- "$probe"
    mkdir -p -- "$probe"
    cat >"$probe/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(probe CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(OpenSSL REQUIRED) # CAF's package file expects it
find_package(CAF CONFIG REQUIRED COMPONENTS core)
if(CAF_VERSION VERSION_LESS "${MINIMUM}")
  message(FATAL_ERROR "version ${CAF_VERSION} is older than ${MINIMUM}")
endif()
file(WRITE ${CMAKE_BINARY_DIR}/version "${CAF_VERSION}")
add_executable(probe probe.cpp)
target_link_libraries(probe PRIVATE CAF::core)
CMAKE
    cat >"$probe/probe.cpp" <<'CPP'
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
int main() {
  caf::actor_system_config config;
  caf::actor_system system{config};
  system.spawn([](caf::event_based_actor* self) {
    self->set_down_handler([](caf::down_msg&) {});
    self->delayed_send(self, std::chrono::milliseconds{1}, 1);
    return caf::behavior{[self](int) { self->quit(); }};
  });
}
CPP
    why="its package file does not work"
    if run_logged "$probe/log" cmake -S "$probe" -B "$probe/build" -G Ninja -DMINIMUM="$caf_version" \
      -DCAF_DIR="$(dirname "$config")"; then
      why="a small program does not build with it"
      if run_logged "$probe/log" cmake --build "$probe/build"; then
        CAF_DIR=$(dirname "$config")
        printf '%s' "$config $(stat -c '%Y %s' "$config")" >"$proven"
        say "CAF $(<"$probe/build/version") as installed ($CAF_DIR)"
        return 0
      fi
    elif grep -q 'version .* is older than' "$probe/log"; then
      why=$(grep -o 'version .* is older than .*' "$probe/log")
    fi
    note "passing over the CAF in $(dirname "$config"): $why"
  done < <(find_foreign CAFConfig.cmake)
  return 1
}

# setup_caf [tsan]
setup_caf() {
  local name=caf-$caf_version tarball=actor-framework_$caf_version.orig.tar.gz extra=() about="about 2 min"
  if [[ ${1:-} == tsan ]]; then
    name+=-tsan
    extra=(-DCMAKE_CXX_FLAGS="-fsanitize=thread -g1 -fno-omit-frame-pointer")
  elif use_installed_caf; then
    return 0
  fi
  [[ ! -d $cache/$name ]] || return 0
  say "CAF $caf_version${1:+ ($1)}: from source, once"
  fetch_source experimental "$caf_source" "$caf_sha256" "$tarball" ||
    die "the source of CAF $caf_version cannot be had: it comes from Debian's suite 'experimental' on this machine's mirror"
  # Ten sources at a time, of which no two have something of one name: sooner done.
  build_source "$name" "$tarball" "$about" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=10 \
    -DCAF_ENABLE_EXAMPLES=OFF -DCAF_ENABLE_TESTING=OFF -DCAF_ENABLE_TOOLS=OFF -DCAF_ENABLE_IO_MODULE=OFF \
    -DCAF_ENABLE_OPENSSL_MODULE=OFF "${extra[@]}" ||
    die "CAF $caf_version does not build here; the log is $cache/$name.log"
}

# --------------------------------------------------------------------------------------------------------- librdkafka

version_at_least() { dpkg --compare-versions "$1" ge "$2"; }

# mend_line FILE OLD NEW WHAT: NEW for OLD, where OLD is a part of one line.
mend_line() {
  grep -qF -- "$2" "$1" || { note "librdkafka $version: the line to mend is not there any more: look whether upstream has mended $4"; return; }
  local text
  text=$(<"$1")
  printf '%s\n' "${text/"$2"/"$3"}" >"$1"
}

# What releases up to 2.14.2 do wrong. A later one that is mended is built as it is.
mend_rdkafka() {
  # A broker that has just come up answers with partitions that have no leader: counted as changes and not filled in.
  mend_line "$1/rdkafka_fetcher.c" 'TopicTags->partitions_with_leader_change_cnt++;' \
    'if (PartitionTags->CurrentLeader.LeaderId >= 0) TopicTags->partitions_with_leader_change_cnt++;' \
    'issue 5280 (the process crashes)'
  # A broker that has been away (paused, cut off) may answer that there is no broker at all: then all that are known are
  # given up, for ever, and the client is dead without a word. The Java client passes over such an answer.
  mend_line "$1/rdkafka_metadata.c" 'rd_kafka_metadata_decommission_unavailable_brokers(rk, md, rkb);' \
    'if (md->broker_cnt > 0) rd_kafka_metadata_decommission_unavailable_brokers(rk, md, rkb);' \
    'that an answer without brokers ends a client'
  # Whoever asks a message for its headers waits for a buffer to be made and thrown away, also where their number, the
  # first byte, is none. That takes longer than all else that a reader does with the message.
  mend_line "$1/rdkafka_msg.c" 'if (RD_KAFKAP_BYTES_LEN(&rkm->rkm_u.consumer.binhdrs) == 0)' \
    'if (RD_KAFKAP_BYTES_LEN(&rkm->rkm_u.consumer.binhdrs) == 0 || *(const char *)rkm->rkm_u.consumer.binhdrs.data == 0)' \
    'that messages without headers are slow to ask for them'
}

# KAPPA_WITHOUT_KAFKA=1 does without it where it cannot be had.
setup_rdkafka() {
  local folder version suite full sum tarball best='' found=''
  [[ -z ${KAPPA_WITHOUT_KAFKA:-} ]] || return 0
  # Also what was built before is linked with these.
  (install_packages "${rdkafka_packages[@]}") || no_rdkafka "its build packages are missing"
  for folder in "$cache"/librdkafka-*-"$rdkafka_mended"/; do
    [[ -d $folder ]] || continue
    version=$(basename "$folder" "-$rdkafka_mended")
    ! version_at_least "${version#librdkafka-}" "$rdkafka_minimum" || return 0
  done
  if command -v pkg-config >/dev/null && pkg-config --atleast-version="$rdkafka_minimum" rdkafka 2>/dev/null; then
    say "librdkafka $(pkg-config --modversion rdkafka) as installed"
    return 0
  fi
  say "librdkafka >= $rdkafka_minimum: from source, once"
  for suite in sid testing trixie-backports trixie; do
    private_apt "$suite" || continue
    read -r full sum tarball < <(newest_source librdkafka) || continue
    version=${full#*:}
    version=${version%-*}
    if ! version_at_least "$version" "$rdkafka_minimum"; then
      best+=" $version ($suite)"
      continue
    fi
    found=$suite
    if fetch_source "$suite" "librdkafka=$full" "$sum" "$tarball" &&
      build_source "librdkafka-$version-$rdkafka_mended" "$tarball" "about 1 min" -DRDKAFKA_BUILD_EXAMPLES=OFF \
        -DRDKAFKA_BUILD_TESTS=OFF -DRDKAFKA_BUILD_STATIC=ON -DWITH_ZSTD=ON -DWITH_SSL=ON -DWITH_SASL=ON; then
      return 0
    fi
  done
  [[ -z $found ]] || no_rdkafka "its source from Debian's suite '$found' did not build, or not come (see above)"
  no_rdkafka "${best:+only older ones were found:$best}"
}

no_rdkafka() {
  die "librdkafka >= $rdkafka_minimum cannot be had${1:+; $1}. It comes from the suites sid, testing or trixie of this" \
    "machine's Debian mirror; only the Kafka log needs it, and KAPPA_WITHOUT_KAFKA=1 ./dev … does without"
}

# newest_source PACKAGE: "version sha256 tarball" of the newest one that the private apt knows.
newest_source() {
  local newest
  newest=$(apt-cache "${apt_options[@]}" showsrc "$1" 2>/dev/null | sed -n 's/^Version: //p' | sort -V | tail -n 1)
  [[ -n $newest ]] || return 1
  apt-cache "${apt_options[@]}" showsrc "$1" 2>/dev/null | awk -v want="$newest" '
    /^Version: / { here = ($2 == want) }
    /^[^ ]/ { sums = ($1 == "Checksums-Sha256:") }
    here && sums && $3 ~ /\.orig\.tar\.[a-z0-9]+$/ { print want, $1, $3; exit }'
}

# -------------------------------------------------------------------------------------------------------------- entry

# set_up [tsan]: all that a build needs; under a second when it is all there.
set_up() {
  lock_cache
  install_packages "${packages[@]}"
  setup_caf
  [[ ${1:-} != tsan ]] || setup_caf tsan
  setup_rdkafka
  clean_up
  unlock_cache
}
