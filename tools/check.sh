#!/bin/sh
# Everything that can be checked without running the program: types, lint, layers, sizes, generated files.
set -u
cd "$(dirname -- "$0")/.." || exit 1
. tools/npm-packages.sh
npm_packages "$PWD" all
failed=0

check() {
  printf '== %s\n' "$1"
  shift
  "$@" || failed=1
}

# On one thread: the other tests have the rest of the machine, and to share the work costs half as much again.
check types node_modules/.bin/tsc --noEmit -p . --checkers 1
check lint node_modules/.bin/biome check --error-on-warnings .
check layers node_modules/.bin/node tools/check-layers.ts
check sizes node_modules/.bin/node tools/check-sizes.ts
check 'generated files' node_modules/.bin/node tools/generate.ts --check

if [ "$failed" != 0 ]; then
  echo 'check: failed (format and import order are repaired by: node_modules/.bin/biome check --write .)' >&2
  exit 1
fi
echo 'check: all good'
