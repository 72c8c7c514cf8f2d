#!/usr/bin/env bash
# Builds the newest release before this commit, for the tests of upgrades, and prints the path of its executable. As long as
# nothing is released, and where the history is not at hand (an archive, a shallow clone), it says so and prints nothing.
#   previous.sh DIR
set -euo pipefail
[ $# = 1 ] || {
  echo "usage: previous.sh DIR" >&2
  exit 2
}
mkdir -p "$1"
dir="$(cd "$1" && pwd -P)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

release=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || true)
[ -n "$release" ] || {
  echo "previous.sh: there is no release to upgrade from, so the tests of upgrades are skipped" >&2
  exit 0
}
git archive "$release" | tar -x -C "$dir"
dotnet build "$dir/src/Api" -c Release -v quiet -p:RunAnalyzers=false -p:GenerateDocumentationFile=false -p:TreatWarningsAsErrors=false >&2
echo "$dir/artifacts/bin/Api/release/taskqueue.dll"
