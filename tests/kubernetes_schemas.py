"""JSON objects on stdin, by Kubernetes' schemas: CHECKS/bin/python kubernetes_schemas.py VERSION...

Prints one line for each that a version's API does not take; exit code 1 where there is one. Runs in
the environment of requirements/checks.txt, whose package kubernetes-validate brings the schemas.
"""

import functools
import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
from referencing import Registry, Resource

FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


@functools.cache
def definitions(version):
    return Resource.from_contents(json.loads((FOLDER / version / "_definitions.json").read_text()))


@functools.cache
def validator(version, kind, api):
    group, _, name = api.rpartition("/")
    short = f"{group.split('.')[0]}-{name}" if group else name
    path = FOLDER / version / f"{kind.lower()}-{short}.json"
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    registry = definitions(version) @ Registry()
    return jsonschema.Draft202012Validator(schema, registry=registry)


def main(versions):
    objects = json.load(sys.stdin)
    wrong = 0
    for version in versions:
        for each in objects:
            where = f"{version} {each['apiVersion']} {each['kind']} {each['metadata']['name']}"
            found = validator(f"v{version}.0-local-strict", each["kind"], each["apiVersion"])
            errors = ["this version has no such kind"] if found is None else [
                f"{error.json_path}: {error.message[:300]}" for error in found.iter_errors(each)
            ]  # fmt: skip
            for error in errors:
                print(f"{where}: {error}")
            wrong += len(errors)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
