#!/bin/sh
# `npm test`: installs what the tests need, then checks and runs everything that this machine can run, and says what it skipped.
# NEPHOS_TEST_PARTS=quick|all|part,part,... chooses (tools/test-plan.ts lists the parts); NEPHOS_TEST_MINUTES bounds the whole (55).
set -u
cd "$(dirname -- "$0")/.." || exit 1
. tools/npm-packages.sh
npm_packages "$PWD" all
# Tests start many processes: with compiled code kept, each starts in half the time.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/nephos}"
exec node_modules/.bin/node tools/run-tests.ts
