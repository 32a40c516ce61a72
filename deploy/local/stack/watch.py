"""Watches a session over the user socket: prints the answer as it grows, and comes back by itself when cut off."""

import argparse
import asyncio
import json
import random
import sys

import aiohttp

from identity import jwt_secret, user_token
from options import with_state
from system import gateway_port_file


def parse(arguments):
    about = "Prints what happens in a session."
    parser = with_state(argparse.ArgumentParser(prog="deploy/local/watch", description=about))
    parser.add_argument("--raw", action="store_true", help="print the frames as they come")
    parser.add_argument("session", nargs="?", help="session id; that of the demo if none is given")
    chosen = parser.parse_args(arguments)
    try:
        chosen.gateway_port = int(gateway_port_file(chosen.state).read_text())
    except (OSError, ValueError):
        parser.error(f"deploy/local/up has not run with {chosen.state}")
    if chosen.session is None:
        try:
            chosen.session = json.loads((chosen.state / "demo.json").read_text())["session"]
        except (OSError, ValueError, KeyError):
            parser.error("there is no demo session: give the id of a session")
    return chosen


class Printer:
    """Prints what is new of the newest answer. A correction of what was printed already is printed as a new line."""

    def __init__(self):
        self._id = None
        self._entries = []
        self._printed = []

    def take(self, frame):
        kind = frame.get("type")
        if kind == "session_update":
            interactions = frame["session"].get("interactions") or []
            for item in interactions[-1:]:
                self._full(item)
        elif kind == "interaction_update":
            self._full(frame["interaction"])
        elif kind == "interaction_patch" and frame["interaction_id"] == self._id:
            self._patch(frame)

    def _full(self, item):
        if item["id"] != self._id:
            self._id, self._printed = item["id"], []
            print(f"\n> {item['prompt_message']}")
        self._entries = [entry["content"] for entry in item.get("response_entries") or []]
        self._show()
        if item["state"] != "waiting" and self._printed is not None:
            print(f"\n[{item['state']}] {item.get('error') or ''}", flush=True)

    def _patch(self, frame):
        for patch in frame["entry_patches"]:
            while len(self._entries) <= patch["index"]:
                self._entries.append("")
            units = self._entries[patch["index"]].encode("utf-16-le")[:2 * patch["patch_offset"]]
            self._entries[patch["index"]] = units.decode("utf-16-le", "replace") + patch["patch"]
        del self._entries[frame["entry_count"]:]
        self._show()

    def _show(self):
        for index, content in enumerate(self._entries):
            held = self._printed[index] if index < len(self._printed) else None
            if held is None:
                print(("\n" if index else "") + content, end="")
            elif content.startswith(held):
                print(content[len(held):], end="")
            elif content != held:
                print(f"\n{content}", end="")
        self._printed = list(self._entries)
        sys.stdout.flush()


async def follow(chosen):
    url = f"ws://127.0.0.1:{chosen.gateway_port}/api/v1/ws/user?session_id={chosen.session}"
    headers = {"Authorization": "Bearer " + user_token(jwt_secret(chosen.state), "demo", 1)}
    printer = Printer()
    attempt = 0
    async with aiohttp.ClientSession(headers=headers) as client:
        while True:
            try:
                async with client.ws_connect(url, max_msg_size=0) as socket:
                    attempt = 0
                    async for message in socket:
                        if chosen.raw:
                            print(message.data, flush=True)
                        else:
                            printer.take(json.loads(message.data))
                    why = f"closed with {socket.close_code}"
            except aiohttp.WSServerHandshakeError as refused:
                if refused.status in (400, 401, 404):
                    print(f"refused: HTTP {refused.status}", file=sys.stderr)
                    return 1
                why = f"refused: HTTP {refused.status}"
            except aiohttp.ClientError as error:
                why = str(error)
            print(f"\n[{why}; trying again]", file=sys.stderr)
            await asyncio.sleep(min(5.0, 0.2 * 2 ** attempt) * random.uniform(0.5, 1))
            attempt = min(attempt + 1, 10)


def watch(arguments):
    chosen = parse(arguments)
    try:
        return asyncio.run(follow(chosen))
    except KeyboardInterrupt:
        return 0
