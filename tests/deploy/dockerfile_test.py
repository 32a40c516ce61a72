"""The Dockerfile: that it copies what the build needs, and names packages that exist where it installs them."""

import fnmatch
import re
import subprocess

from rendered import ROOT, SERVICES, dockerfile_stages

DOCKER = ROOT / "deploy" / "docker"


def copied():
    for stage in dockerfile_stages().values():
        for instruction, rest in stage:
            if instruction == "COPY" and not rest.startswith("--from="):
                yield from rest.split()[:-1]


def test_what_is_copied_exists_and_is_not_ignored():
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    for path in copied():
        assert (ROOT / path).exists(), path
        assert any(fnmatch.fnmatch(path, pattern) or path.startswith(pattern + "/") for pattern in kept), path


def test_every_subdir_of_the_build_is_copied():
    folders = re.findall(r"^subdir\('(\w+)'\)", (ROOT / "meson.build").read_text(), re.M)
    inside_tests = re.findall(r"^subdir\('(\w+)'\)", (ROOT / "tests" / "meson.build").read_text(), re.M)
    assert folders and inside_tests
    for folder in [*folders, *(f"tests/{name}" for name in inside_tests)]:
        assert any(path == folder or path.startswith(folder + "/") for path in copied()), folder


def test_the_build_stage_makes_each_binary():
    runs = [rest for instruction, rest in dockerfile_stages()["build"] if instruction == "RUN"]
    (command,) = [command for command in runs if "build release" in command]
    for service in SERVICES:
        assert f"services/{service}/{service}" in command


def test_run_time_packages_exist():
    text = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text())
    packages = set()
    for listed in re.findall(r"--no-install-recommends\s+([^&]+)&&", text):
        packages.update(listed.split())
    assert packages
    known = subprocess.run(["apt-cache", "show", "--no-all-versions", *sorted(packages)], capture_output=True,
                           text=True, timeout=60, check=False)
    found = set(re.findall(r"^Package: (\S+)", known.stdout, re.M))
    assert packages <= found, packages - found
