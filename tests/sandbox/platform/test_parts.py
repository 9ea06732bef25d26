"""Starting, stopping, killing and restarting: what was kept, and what is left running."""

import socket
from pathlib import Path

import psutil
import pytest
from tenantscope_sandbox import PartFailed, Sandbox
from tenantscope_sandbox.parts import PARTS
from tenantscope_sandbox.processes import Process, free_port


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every process that works on a state folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        words: list[str] = process.info.get("cmdline") or []
        if any(str(directory) in word for word in words):
            found.append(process)
    return found


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_everything_survives_a_restart_on_the_same_state_and_ports_and_nothing_runs_after(tmp_path: Path):
    with Sandbox.running(tmp_path, company=False) as first:
        ports = {name: first.port(name) for name in PARTS}
        outputs, execution, kid = first.outputs, first.execution, first.issuer.keys.current("RS256").kid
        first.client("s3").put_object(Bucket=first.bucket, Key="raw/a", Body=b"kept")
        first.client("dynamodb").put_item(TableName=first.table, Item={"tenantId": {"S": "acme"}})
        session = first.assume("tenant-management", "acme")
        users = first.cognito_tokens("ana@acme.example", tenant="acme")
    assert processes_of(tmp_path) == []
    assert not any(listening(port) for port in ports.values() if port)

    with Sandbox.running(tmp_path, company=False) as second:
        assert {name: second.port(name) for name in PARTS} == ports
        assert (second.outputs, second.execution) == (outputs, execution)
        assert second.issuer.keys.current("RS256").kid == kid
        assert second.client("s3").get_object(Bucket=second.bucket, Key="raw/a")["Body"].read() == b"kept"
        key = {"tenantId": {"S": "acme"}}
        assert "Item" in second.client("dynamodb", session).get_item(TableName=second.table, Key=key)
        again = second.cognito_tokens("ana@acme.example", tenant="acme")
        assert again["access"].split(".")[0] == users["access"].split(".")[0], "the pool still signs with the same key"
    assert processes_of(tmp_path) == []


def test_up_on_a_running_sandbox_starts_nothing(bare_sandbox: Sandbox):
    before = bare_sandbox.state.read("sandbox.json")["parts"]
    Sandbox.up(bare_sandbox.state.root, company=False, keep=False)
    assert bare_sandbox.state.read("sandbox.json")["parts"] == before


def test_only_the_loopback_interface_is_bound_and_only_the_ports_that_are_named(bare_sandbox: Sandbox):
    parts = bare_sandbox.state.read("sandbox.json")["parts"]
    for part in parts.values():
        process = psutil.Process(part["pid"])
        bound = {
            (connection.laddr.ip, connection.laddr.port)
            for each in [process, *process.children(recursive=True)]
            for connection in each.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert bound == {("127.0.0.1", part["port"])}


def test_a_killed_emulator_comes_back_with_what_it_had_saved(bare_sandbox: Sandbox):
    bare_sandbox.client("dynamodb").put_item(TableName=bare_sandbox.table, Item={"tenantId": {"S": "kept"}})
    bare_sandbox.client("s3").put_object(Bucket=bare_sandbox.bucket, Key="raw/kept", Body=b"kept")
    bare_sandbox.emulator.checkpoint()
    bare_sandbox.stop_part("aws", kill=True)
    assert not bare_sandbox.is_running("aws")
    bare_sandbox.start_part("aws")
    found = bare_sandbox.client("dynamodb").get_item(TableName=bare_sandbox.table, Key={"tenantId": {"S": "kept"}})
    assert "Item" in found
    assert bare_sandbox.client("s3").get_object(Bucket=bare_sandbox.bucket, Key="raw/kept")["Body"].read() == b"kept"


def test_a_killed_database_comes_back_on_its_port(bare_sandbox: Sandbox):
    port = bare_sandbox.port("postgres")
    bare_sandbox.stop_part("postgres", kill=True)
    bare_sandbox.start_part("postgres")
    assert bare_sandbox.port("postgres") == port


def test_a_recycled_process_id_is_not_taken_for_a_part():
    own = psutil.Process()
    impostor = Process(own.pid, own.create_time() - 10)
    assert not impostor.alive()
    impostor.stop()
    assert own.is_running()


def test_a_part_whose_port_was_taken_says_so(bare_sandbox: Sandbox):
    port = bare_sandbox.port("valkey") or 0
    bare_sandbox.stop_part("valkey")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with pytest.raises(PartFailed, match=f"valkey: its port {port} is taken"):
            bare_sandbox.start_part("valkey")
    bare_sandbox.start_part("valkey")


def test_a_preferred_port_is_kept_while_it_is_free():
    port = free_port()
    assert free_port(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port


def test_secrets_and_token_files_are_readable_by_their_owner_alone(bare_sandbox: Sandbox):
    environment = bare_sandbox.server_env("cost-explorer", "acme", tier="growth")
    root = bare_sandbox.state.root
    files = [root / "secrets.json", root / "issuer/keys.json", root / "valkey/valkey.conf"]
    for path in [*files, Path(environment["TENANTSCOPE_TOKEN_FILE"])]:
        assert path.stat().st_mode & 0o077 == 0, path
