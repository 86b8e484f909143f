#!/bin/sh
# Installs what the two commands of the README need and this machine lacks. Where nothing is missing it does nothing.
# Works by looking for the things themselves (programs that run, files where CMake looks), whoever put them there.
set -u

oldest_cmake=3.25
say() { printf '%s\n' "bootstrap: $*"; }
fail() {
  printf '%s\n' "bootstrap: $*" >&2
  exit 1
}

# Is this cmake new enough? (Its first line reads "cmake version 3.25.1".)
cmake_serves() {
  found_version=$("$1" --version 2>/dev/null | sed -n 's/^cmake version \([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$found_version" ] && [ "$(printf '%s\n' "$oldest_cmake" "$found_version" | sort -t. -k1,1n -k2,2n | head -n 1)" = "$oldest_cmake" ]
}
# The first that is, in PATH or behind it.
cmake_that_serves() {
  for program in cmake /usr/local/bin/cmake /usr/bin/cmake; do
    cmake_serves "$program" && printf '%s\n' "$program" && return
  done
  return 1
}

# The compiler that CMake will take; CXX may carry options after the name.
compiler() {
  for program in ${CXX:-c++ g++ clang++}; do
    command -v "$program" >/dev/null 2>&1 && printf '%s\n' "$program" && return
    [ -z "${CXX:-}" ] || fail "there is no $program, which the variable CXX names as the compiler"
  done
  return 1
}

# Is one of the paths given, patterns relative to a prefix, there?
is_there() {
  for prefix in $(printf '%s' "${CMAKE_PREFIX_PATH:-}" | tr ':;' '  ') /usr/local /usr; do
    for pattern in "$@"; do
      for path in "$prefix"/$pattern; do
        [ -e "$path" ] && return 0
      done
    done
  done
  return 1
}
package_file() { is_there "share/cmake/$1/$2" "share/$1/cmake/$2" "lib/cmake/$1/$2" "lib/*/cmake/$1/$2" "lib64/cmake/$1/$2"; }
need() { missing="$missing $1"; }

# The Debian and Ubuntu packages of everything that is not there.
look() {
  missing=""
  [ -n "${CXX:-}" ] || compiler >/dev/null || need g++
  cmake_that_serves >/dev/null || need cmake
  ninja --version >/dev/null 2>&1 || need ninja-build
  pkg-config --version >/dev/null 2>&1 || need pkg-config
  [ -n "${Eigen3_DIR:-}" ] || package_file eigen3 Eigen3Config.cmake || need libeigen3-dev
  package_file nlohmann_json nlohmann_jsonConfig.cmake || need nlohmann-json3-dev
  package_file CLI11 CLI11Config.cmake || need libcli11-dev
  package_file GTest GTestConfig.cmake || need libgtest-dev
  is_there include/gmock/gmock.h || need libgmock-dev
  package_file benchmark benchmarkConfig.cmake || need libbenchmark-dev
  is_there include/stb/stb_truetype.h include/stb_truetype.h || need libstb-dev
  is_there include/utf8proc.h || need libutf8proc-dev
  is_there share/fonts/truetype/dejavu/DejaVuSans.ttf share/fonts/*/DejaVuSans.ttf share/fonts/*/*/DejaVuSans.ttf || need fonts-dejavu-core
  missing=${missing# }
}

look
if [ -n "$missing" ]; then
  command -v apt-get >/dev/null 2>&1 ||
    fail "this system has no apt-get; please install, by its own means, what Debian calls: $missing"
  if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
    say "installing as root, by apt-get: $missing"
  elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo env"
    say "installing by apt-get, for which sudo asks for root's rights and maybe for your password: $missing"
  else
    fail "missing: $missing. Installing needs root, and there is no sudo here; as root run: apt-get install $missing"
  fi
  apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300"
  $apt update || say "apt-get update did not succeed; trying with the lists that are there"
  # shellcheck disable=SC2086 # the names are words
  $apt install -y --no-install-recommends $missing </dev/null || fail "apt-get could not install: $missing"
  asked=$missing
  look
fi

# What apt cannot mend: a program in PATH that stands before a better one, is broken, or too old.
if ! cmake_serves cmake; then
  at=$(command -v cmake || echo PATH)
  other=$(cmake_that_serves) && fail "cmake in $at does not run or is older than $oldest_cmake; $other will do: PATH=${other%/cmake}:\$PATH"
  fail "cmake in $at does not run or is older than $oldest_cmake, which the presets need; see https://cmake.org/download, or: pip install cmake"
fi
[ -z "$missing" ] || fail "apt-get installed ${asked}, but these are still not where CMake looks: $missing"
cxx=$(compiler) || exit 1
printf '#include <concepts>\n#include <span>\nstatic_assert(__cplusplus >= 202002L);\ntemplate <std::integral T> struct S {};\nint main() { S<int> s; (void)s; }\n' |
  $cxx ${CXX:+${CXX#"$cxx"}} -std=c++20 -x c++ -fsyntax-only - 2>/dev/null ||
  fail "$cxx does not compile C++20; g++ 12 and clang 14 are the oldest that do. CXX names another: CXX=g++-12"
[ -n "${asked:-}" ] || say "everything is here"
