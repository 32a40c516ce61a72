"""Every answer that design section 5 promises, as rows: what a client can be told, and by which request.

`HTTP` holds (operation, status, code); the code is None for what is no error. `CLOSES` holds (socket, code, when).
A test that produces one says so to a `Seen`, and a last test says what was left out.
"""

OPERATIONS = {
    "create_session": ("POST", "/sessions"),
    "list_sessions": ("GET", "/sessions"),
    "chat": ("POST", "/sessions/chat"),
    "read_session": ("GET", "/sessions/{s}"),
    "rename_session": ("PUT", "/sessions/{s}"),
    "delete_session": ("DELETE", "/sessions/{s}"),
    "list_interactions": ("GET", "/sessions/{s}/interactions"),
    "read_interaction": ("GET", "/sessions/{s}/interactions/{i}"),
    "stream": ("GET", "/sessions/{s}/interactions/{i}/stream"),
    "post_message": ("POST", "/sessions/{s}/messages"),
    "cancel": ("POST", "/sessions/{s}/cancel"),
    "read_events": ("GET", "/sessions/{s}/events"),
    "mint_agent_token": ("POST", "/sessions/{s}/agent-token"),
    "revoke_agent_tokens": ("DELETE", "/sessions/{s}/agent-token"),
    "list_grants": ("GET", "/sessions/{s}/grants"),
    "put_grant": ("PUT", "/sessions/{s}/grants/{u}"),
    "delete_grant": ("DELETE", "/sessions/{s}/grants/{u}"),
    "list_agents": ("GET", "/agents"),
    "issue_key": ("POST", "/keys"),
    "revoke_key": ("DELETE", "/keys/{k}"),
    "user_socket": ("GET", "/ws/user"),
    "agent_socket": ("GET", "/external-agents/sync"),
}
SUCCESS = {"create_session": 201, "post_message": 202, "mint_agent_token": 201, "revoke_agent_tokens": 204,
           "delete_grant": 204, "issue_key": 201, "revoke_key": 204, "user_socket": 101, "agent_socket": 101}

SOCKETS = {"user_socket", "agent_socket"}
ALL = set(OPERATIONS)
IN_SESSION = {name for name, (_, path) in OPERATIONS.items() if "{s}" in path}
CHANGES = {name for name, (method, _) in OPERATIONS.items() if method != "GET"}
READS = ALL - CHANGES - SOCKETS
WITH_BODY = {name for name, (method, _) in OPERATIONS.items() if method in ("POST", "PUT")}
FOR_EDITORS = {"rename_session", "post_message", "cancel", "mint_agent_token", "revoke_agent_tokens"}
FOR_OWNERS = {"delete_session", "list_grants", "put_grant", "delete_grant"}
OF_ROOTS = {"mint_agent_token", "revoke_agent_tokens", "list_grants", "put_grant", "delete_grant"}
WITH_SECRET = {"mint_agent_token", "issue_key"}
WITH_PARAMETERS = {"list_sessions", "read_session", "list_interactions", "read_events"}

HTTP = {(name, SUCCESS.get(name, 200), None) for name in ALL}
HTTP |= {("read_session", 304, None)}
HTTP |= {(name, 401, "unauthorized") for name in ALL}
HTTP |= {(name, 404, "not_found") for name in IN_SESSION | SOCKETS | {"chat", "revoke_key"}}
HTTP |= {(name, 403, "forbidden") for name in FOR_EDITORS | FOR_OWNERS | {"chat"}}
HTTP |= {(name, 400, "bad_request") for name in WITH_BODY | WITH_PARAMETERS | CHANGES | {"user_socket"}}
HTTP |= {("agent_socket", 400, "session_id_missing"), ("agent_socket", 400, "instance_missing")}
HTTP |= {("chat", 400, "one_message_only"), ("chat", 400, "unsupported_content")}
HTTP |= {(name, 409, "id_reused") for name in CHANGES}
HTTP |= {(name, 409, "already_issued") for name in WITH_SECRET}
HTTP |= {(name, 409, "child_session") for name in OF_ROOTS}
HTTP |= {("chat", 409, "turn_interrupted"), ("chat", 502, "turn_error"), ("chat", 503, "agent_offline"),
         ("chat", 503, "shutting_down"), ("chat", 504, "agent_timeout")}
HTTP |= {("read_events", 410, "position_unknown")}
HTTP |= {(name, 413, "too_large") for name in WITH_BODY}
HTTP |= {("post_message", 429, "queue_full"), ("chat", 429, "queue_full"), ("user_socket", 429, "too_many_sockets")}
HTTP |= {(name, 429, "too_many") for name in ("put_grant", "mint_agent_token")}
HTTP |= {(name, 503, "not_accepted") for name in CHANGES}
HTTP |= {(name, 504, "outcome_unknown") for name in CHANGES}
HTTP |= {(name, 503, "unavailable") for name in READS | SOCKETS}
HTTP |= {("agent_socket", 409, "superseded_too_often")}

CLOSES = {
    *(("user", 1001, when) for when in ("drain v1", "drain v2")),
    *(("user", 1009, when) for when in ("frame above MAX_FRAME",)),
    *(("user", 4401, when) for when in ("refused", "token expired", "key revoked", "refreshed token expired")),
    *(("user", 4404, when) for when in ("refused", "grant taken away", "session deleted")),
    ("user", 4400, "refused"), ("user", 4429, "refused"), ("user", 4503, "refused"), ("user", 1007, "invalid UTF-8"),
    ("agent", 1001, "drain"), ("agent", 1007, "invalid UTF-8"), ("agent", 1008, "bad frames"),
    ("agent", 1008, "token revoked"), ("agent", 1009, "frame above MAX_FRAME"), ("agent", 4001, "superseded"),
    ("agent", 4404, "session deleted"),
}


class Seen:
    """What a run of tests has produced. Each row is checked to be one of the contract's."""

    def __init__(self, rows):
        self.rows = rows
        self.produced = set()

    def note(self, *row):
        assert row in self.rows, f"{row} is not in the table"
        self.produced.add(row)

    def left_out(self):
        return sorted(map(str, self.rows - self.produced))


def everything_ran(request):
    """Whether all tests of the module are part of this run, so that a last one may judge the whole."""
    module = request.node.module
    functions = {name for name in vars(module) if name.startswith("test_")}
    return functions <= {item.originalname for item in request.session.items if item.module is module}
