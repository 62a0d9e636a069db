#!/usr/bin/env bash
# Install the programs that the integration tests talk to: Debian packages where they are missing and we are root, the OHIF
# viewer, the Cornerstone adapters and axe-core into .neighbours. What cannot be had is a warning here and an error where CI is set.
# Usage: tools/install_neighbours.sh
set -euo pipefail
cd "$(dirname "$0")/.."

refuse() {
  echo "$1; the tests that need it are skipped" >&2
  [ -z "${CI:-}" ] || exit 1
}

# --- Debian packages
install_packages() {
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
  # No service may start: the tests start each program themselves, on free ports.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

declare -A package=([Orthanc]=orthanc [storescu]=dcmtk [dciodvfy]=dicom3tools [chromium]=chromium [node]=nodejs [npm]=npm
  [DicomSRValidator]=pixelmed-apps [promtool]=prometheus)
missing=()
for program in "${!package[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing+=(orthanc-dicomweb)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
  install_packages || refuse "not installed: ${missing[*]}"
fi

# --- JavaScript: the adapters and axe-core by their lock file; of OHIF the built application only, without what it was built from
ohif=3.13.2
ohif_sha512=5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
source=tests/support/javascript
target=.neighbours
wanted=$(cat "$source/package-lock.json" "$0" | sha256sum | cut -d' ' -f1)
[ "$(cat "$target/.installed" 2>/dev/null)" = "$wanted" ] && exit 0

install_javascript() {
  echo "installing OHIF, the Cornerstone adapters and axe-core into $target (once)"
  rm -rf "$target" && mkdir -p "$target/ohif" || return 1
  cp "$source/package.json" "$source/package-lock.json" "$target/" || return 1
  (
    cd "$target"
    npm ci --silent --ignore-scripts --no-audit --no-fund &&
      for package in dcmjs/build gl-matrix/esm; do # Node 18 takes their ES modules for CommonJS otherwise
        echo '{"type": "module"}' > "node_modules/$package/package.json" || exit 1
      done &&
      npm pack --silent "@ohif/app@$ohif" >/dev/null &&
      echo "$ohif_sha512  ohif-app-$ohif.tgz" | sha512sum --check --quiet &&
      tar --extract --file "ohif-app-$ohif.tgz" --directory ohif --strip-components 2 --exclude '*.map' package/dist &&
      rm "ohif-app-$ohif.tgz"
  ) || return 1
  echo "$wanted" > "$target/.installed"
}
install_javascript || refuse "OHIF, the Cornerstone adapters and axe-core could not be installed"
