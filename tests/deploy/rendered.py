"""The rendered manifests as values, and what the binaries and the Dockerfile say."""

import functools
import os
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "agent-bridge", "state-sync")


@functools.cache
def rendered(folder):
    done = subprocess.run(["kubectl", "kustomize", ROOT / "deploy" / "kubernetes" / folder], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def all_of(kind, folder="base"):
    return {document["metadata"]["name"]: document for document in rendered(folder) if document["kind"] == kind}


def one(kind, name, folder="base"):
    return all_of(kind, folder)[name]


def pod_of(document):
    return document["spec"]["template"]["spec"]


def container_of(document):
    (container,) = pod_of(document)["containers"]
    return container


def environment(document):
    """name -> value of what the container is given; a secret's value is `secret:name/key`."""
    container = container_of(document)
    found = {}
    for source in container.get("envFrom", []):
        found.update(one("ConfigMap", source["configMapRef"]["name"])["data"])
    for variable in container.get("env", []):
        reference = variable["valueFrom"]["secretKeyRef"]
        found[variable["name"]] = f"secret:{reference['name']}/{reference['key']}"
    return found


def labels_match(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


@functools.cache
def help_of(service):
    build = (ROOT / os.environ.get("THROUGHLINE_BUILD", os.environ.get("BUILD_DIR", "build"))).resolve()
    done = subprocess.run([build / "services" / service / service, "--help"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, f"{service} --help ended with {done.returncode}: {done.stderr}"
    return done.stdout


def dockerfile_stages():
    """name -> the instructions of each stage, as (instruction, rest of line)."""
    text = re.sub(r"\\\n", " ", (ROOT / "deploy" / "docker" / "Dockerfile").read_text())
    stages, current = {}, []
    for line in text.splitlines():
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "FROM":
            current = stages.setdefault(words[1].split()[-1], [])
        current.append((words[0], words[1]))
    return stages


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
