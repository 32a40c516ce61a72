"""What the database holds, as HTTP tells it when everything is at rest."""

import json

from chaos.history import Stored
from chaos.views import digest

EVENTS_PER_CALL = 5000


class Unreadable(Exception):
    """The system does not give what it should hold."""


async def read_stored(http, session_id, token):
    session = await get(http, f"/sessions/{session_id}?skipInteractions=1", token)
    head = (session["epoch"], session["seq"])
    interactions = await read_interactions(http, session_id, token)
    try:
        events, faults = await read_events(http, session_id, token)
    except Unreadable as unreadable:
        events, faults = {}, [str(unreadable)]
    return Stored(interactions, head, session["queue"], events, faults)


async def get(http, path, token):
    status, body = await http.call("GET", path, token)
    if status != 200:
        raise Unreadable(f"GET {path} is answered {status}: {str(body)[:300]}")
    return body


async def read_interactions(http, session_id, token):
    found, page = [], 0
    while True:
        body = await get(http, f"/sessions/{session_id}/interactions?page={page}&per_page=200", token)
        found += body["interactions"]
        page += 1
        if page >= body["totalPages"]:
            return found


async def read_events(http, session_id, token):
    """({position: digest}, faults): the whole log, in the order in which it is given."""
    events, faults, since = {}, [], ""
    while True:
        body = await get(http, f"/sessions/{session_id}/events?limit={EVENTS_PER_CALL}{since}", token)
        lines = body.decode().splitlines()
        for line in lines:
            event = json.loads(line)
            position = (event["epoch"], event["seq"])
            if position[1] != len(events) + 1:
                faults.append(f"event {position} stands at place {len(events) + 1} of the log")
            events[position] = digest(event)
        if len(lines) < EVENTS_PER_CALL:
            return events, faults
        since = f"&since={position[0]}:{position[1]}"
