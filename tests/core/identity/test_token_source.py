"""Where a server on stdio finds its token."""

import os
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from tenantscope_core.identity.token_source import FixedToken, TokenCommand, TokenFile
from tenantscope_core.results.errors import Unavailable

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.requirement("token-on-stdio")
async def test_a_fixed_token_is_what_it_was():
    assert await FixedToken("abc").token() == "abc"
    assert await FixedToken(None).token() is None


@pytest.mark.requirement("token-on-stdio")
async def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path):
    path = tmp_path / "token"
    source = TokenFile(path)
    assert await source.token() is None
    path.write_text("first\n")
    assert await source.token() == "first"
    path.write_text("second one")
    assert await source.token() == "second one"
    path.unlink()
    assert await source.token() is None


async def test_a_token_file_replaced_by_rename_with_the_same_size_and_time_is_noticed(tmp_path: Path):
    path, other = tmp_path / "token", tmp_path / "other"
    path.write_text("aaaa")
    source = TokenFile(path)
    assert await source.token() == "aaaa"
    other.write_text("bbbb")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)
    assert await source.token() == "bbbb"


def _command(log: Path, expires: datetime) -> str:
    """A command that prints a token and notes that it ran."""
    token = jwt.encode({"exp": int(expires.timestamp())}, "x" * 32, algorithm="HS256")
    program = f"open({str(log)!r}, 'a').write('ran\\n'); print({token!r})"
    return shlex.join([sys.executable, "-c", program])


@pytest.mark.requirement("token-on-stdio")
async def test_a_token_command_runs_once_and_again_shortly_before_the_token_expires(tmp_path: Path):
    log, now = tmp_path / "log", NOW
    source = TokenCommand(_command(log, NOW + timedelta(hours=1)), clock=lambda: now)
    for _ in range(3):
        assert await source.token()
    assert log.read_text().count("ran") == 1
    now = NOW + timedelta(minutes=59, seconds=30)
    await source.token()
    assert log.read_text().count("ran") == 2


async def test_a_failing_token_command_is_unavailable_at_first_and_keeps_an_earlier_token_later(tmp_path: Path):
    now, flag = NOW, tmp_path / "works"
    token = jwt.encode({"exp": int((NOW + timedelta(hours=1)).timestamp())}, "x" * 32, algorithm="HS256")
    program = f"import pathlib, sys; sys.exit(1) if not pathlib.Path({str(flag)!r}).exists() else print({token!r})"
    source = TokenCommand(shlex.join([sys.executable, "-c", program]), clock=lambda: now)
    with pytest.raises(Unavailable):
        await source.token()
    flag.touch()
    now += timedelta(seconds=6)
    assert await source.token() == token
    flag.unlink()
    now = NOW + timedelta(minutes=59, seconds=30)
    assert await source.token() == token
