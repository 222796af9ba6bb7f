#!/bin/sh
# Writes what the program says into the sessions of docs/cli.md. The commands in them stay as they are written there;
# their output is replaced. The test of the same name compares it in every run.
set -eu
cd "$(dirname "$0")/.."
HYTHE_RECORD_SESSIONS=1 cargo test --workspace --features hythe/failpoints --test it -- sessions::
git diff --stat -- docs/cli.md
