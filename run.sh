#!/bin/sh
# From a fresh clone to a running page or to tests, on Debian with Python 3.11 or 3.12:
#   sh run.sh app     sh run.sh test
set -eu
cd "$(dirname "$0")"

case "${1:-}" in
  app) extras=app ;;
  test) extras=app,train,test ;;
  *) echo "usage: sh run.sh app | sh run.sh test" >&2; exit 2 ;;
esac

needed="python3-venv $(cat packages.txt)"
# shellcheck disable=SC2086  # the list is to be split
if command -v apt-get >/dev/null && ! dpkg -s $needed >/dev/null 2>&1; then
  root=""; [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $needed
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --editable ".[$extras]"

case "$1" in
  app) exec .venv/bin/python app.py ;;
  test) exec .venv/bin/python -m pytest ;;
esac
