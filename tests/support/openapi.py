"""The OpenAPI document, read as a client's tools read it: what may be asked, and whether an answer is as it says."""

import json
import pathlib
import re

import jsonschema

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "proto" / "openapi.json"


class OpenApi:
    def __init__(self):
        self.root = json.loads(DOCUMENT.read_text())
        jsonschema.Draft202012Validator.check_schema({"$defs": self.root["components"]["schemas"]})
        self._resolver = jsonschema.RefResolver.from_schema(self.root)

    def operations(self):
        """{operationId: (method, path template)}"""
        return {what["operationId"]: (method.upper(), path) for path, item in self.root["paths"].items()
                for method, what in item.items() if method != "parameters"}

    def operation(self, method, path):
        """The operation of a request; None where the document has none. A literal part goes before a template."""
        plain = path.split("?")[0]
        fitting = [(template.count("{"), item) for template, item in self.root["paths"].items()
                   if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), plain)]
        return min(fitting, key=lambda f: f[0])[1].get(method.lower()) if fitting else None

    def _resolve(self, thing):
        while "$ref" in thing:
            thing = self._resolver.resolve(thing["$ref"])[1]
        return thing

    def faults(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self._resolver)
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]

    def faults_of_answer(self, method, path, reply):
        """What is wrong with an answer; nothing when the document has it so."""
        what = self.operation(method, path)
        if what is None:
            return [f"{method} {path} is not in the document"]
        if str(reply.status) not in what["responses"]:
            return [f"{what['operationId']} answered {reply.status}, which is not in the document"]
        said = self._resolve(what["responses"][str(reply.status)])
        missing = [name for name in said.get("headers", {}) if name not in reply.headers and reply.status >= 400]
        if "content" not in said:
            return missing + ([f"{reply.status} with a body"] if reply.raw else [])
        kind = reply.headers["Content-Type"].split(";")[0]
        if kind not in said["content"]:
            return missing + [f"{kind} is none of {list(said['content'])}"]
        schema = said["content"][kind]["schema"]
        bodies = {"application/json": lambda text: [text], "application/x-ndjson": str.splitlines,
                  "text/event-stream": lambda text: [line[6:] for line in text.splitlines()
                                                     if line.startswith("data: ") and line != "data: [DONE]"]}
        return missing + [fault for body in bodies[kind](reply.raw.decode())
                          for fault in self.faults(schema, json.loads(body))]
