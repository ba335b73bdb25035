# shellcheck shell=bash
# For tests of ./dev: a copy of it that builds another project, into a cache of its own.

# copy_dev ROOT PROJECT: copies ./dev and its set-up. Not the machine's CAF, nor its packages, nor librdkafka: they are
# other tests' business.
copy_dev() {
  mkdir -p -- "$2"
  cp -r -- "$1/dev" "$1/scripts" "$2"
  printf '%s\n' 'use_installed_caf() { return 1; }' 'install_packages() { :; }' 'setup_rdkafka() { :; }' \
    >>"$2/scripts/setup.sh"
  unset CMAKE_PREFIX_PATH KAPPA_DEBIAN_MIRROR
}
