"""The configuration of the front, for `up` and for the tests: nginx without a master process is told once of all replicas'
ports, whether they run or not, for it does not survive a change of its configuration."""

import pathlib

TEMPLATE = pathlib.Path(__file__).resolve().parents[1] / "front.conf"


def front_config(port, run, temporary, gateways, bridges):
    """The text; `gateways` and `bridges` are ports on loopback."""
    def servers(ports):
        return "\n".join(f"    server 127.0.0.1:{port} max_fails=0;" for port in ports)

    values = {"run": run, "temporary": temporary, "port": port, "gateways": servers(gateways),
              "bridges": servers(bridges)}
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text
