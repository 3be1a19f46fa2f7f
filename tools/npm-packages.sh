# Sourced by ./nephos, check.sh and test.sh: npm_packages DIR run|all makes DIR/node_modules what package-lock.json says.
# `run` leaves the developers' packages out (and in place when they are there). Costs one sha256sum when nothing is to do.

npm_packages() {
  # A linked node_modules belongs to another folder, which looks after it.
  [ ! -L "$1/node_modules" ] || return 0
  npm_stamp=$1/node_modules/.nephos-stamp
  npm_hash=$(sha256sum <"$1/package-lock.json")
  npm_has_all=; [ ! -d "$1/node_modules/typescript" ] || npm_has_all=yes
  if [ "$2" = run ] || [ -n "$npm_has_all" ]; then
    if [ -f "$npm_stamp" ]; then
      [ "$(cat "$npm_stamp")" != "$npm_hash" ] || return 0
    elif [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; then
      # Somebody ran npm by hand, and to the end: npm writes that file last.
      echo "$npm_hash" 2>/dev/null >"$npm_stamp" || true
      return 0
    fi
  fi
  npm_install "$1" "$2"
}

npm_install() {
  if ! command -v npm >/dev/null; then
    echo "nephos: npm is missing, and it is what installs the rest. On Debian: apt-get install npm" >&2
    exit 1
  fi
  if [ ! -w "$1" ]; then
    echo "nephos: cannot install the npm packages: $1 is not writable. Run this once as its owner." >&2
    exit 1
  fi
  # One at a time: a second start waits here, and then finds the work done.
  if command -v flock >/dev/null; then
    exec 9<"$1/package-lock.json"
    if ! flock -n 9; then
      echo "nephos: another start is installing the npm packages, waiting for it" >&2
      flock 9
      exec 9<&-
      npm_packages "$1" "$2"
      return 0
    fi
  fi
  npm_omit=--omit=dev
  [ "$2" = run ] && [ -z "$npm_has_all" ] || npm_omit=--include=dev
  echo "nephos: installing npm packages into $1/node_modules (once; Node 26 is one of them, about 80 MB to fetch) ..." >&2
  # Output goes to standard error, so that `nephos status --json` and the like stay clean on the first run too.
  (cd "$1" && npm ci "$npm_omit" --no-audit --no-fund --loglevel=error 9<&- >&2) || {
    echo "nephos: npm ci failed in $1 (its words are above). Is the npm registry reachable, the disk full? Then run this again." >&2
    exit 1
  }
  echo "$npm_hash" >"$npm_stamp"
  if command -v flock >/dev/null; then exec 9<&-; fi
}
