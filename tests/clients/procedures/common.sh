# What the procedures share; sourced by the tests before each of them. Given: `az` signed in to a local Azure,
# SUBSCRIPTION_ID, OBJECT_ID (who is signed in), ACR_SUFFIX, KEYVAULT_SUFFIX, HERE (this folder), WORK (a scratch
# folder), PYTHON (with requests).
set -euo pipefail
cd "$WORK"

# A command that Azure or its CLI does not take as it is printed: it must fail, and say why.
refused() {
  local why=$1 said
  shift
  if said=$("$@" 2>&1); then echo "taken, though '$why' was expected: $*" >&2; exit 1; fi
  grep -qF -- "$why" <<<"$said" || { printf '%s\nrefused otherwise than with "%s": %s\n' "$said" "$why" "$*" >&2; exit 1; }
}

# docker push
push_image() { "$PYTHON" "$HERE/push_image.py" "$@"; }

# A record at a registrar.
dns_record() {
  curl -sf --cacert "$REQUESTS_CA_BUNDLE" "$ARM_URL/_local/dns" -d "{\"name\": \"$1\", \"type\": \"$2\", \"value\": \"$3\"}" >"$WORK/dns"
}

# curl of an application: its name is below `localhost` and its port is local Azure's.
fetch() {
  local host=${1#https://}
  host=${host%%/*}
  curl -sf --cacert "$REQUESTS_CA_BUNDLE" --connect-to "$host:443:127.0.0.1:${ARM_URL##*:}" "$1"
}
