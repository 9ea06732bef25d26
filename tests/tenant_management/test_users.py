"""What a user is and what may be done to one: pure values in, pure values out."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.errors import Conflict, InvalidArgument
from tenantscope_tenant_management.users import (
    Action,
    Role,
    Status,
    User,
    Wanted,
    address,
    address_digest,
    after,
    is_user_id,
    outcome,
    require_allowed,
    role_of,
    wanted,
)

ACTIONS: tuple[Action, ...] = get_args(Action)


def user(**changes: Any) -> User:
    made = datetime(2026, 9, 1, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": "u-1", "subject": "u-1", "email": "ana@acme.example", "role": "admin", "enabled": True,
        "confirmed": True, "created": made, "updated": made,
    }  # fmt: skip
    return User(**{**values, **changes})


@pytest.mark.parametrize(
    ("enabled", "confirmed", "status"),
    [(True, True, "active"), (True, False, "invited"), (False, True, "disabled"), (False, False, "disabled")],
)
def test_the_status_says_disabled_first_and_then_whether_the_invitation_was_taken_up(
    enabled: bool, confirmed: bool, status: Status
):
    assert user(enabled=enabled, confirmed=confirmed).status == status


@pytest.mark.parametrize("kept", [None, "", "member", "Admin", "admin ", "owner", "provider"])
def test_whatever_is_no_role_of_ours_has_the_rights_of_a_member(kept: str | None):
    assert role_of(kept) == "member"
    assert role_of("admin") == "admin"


@pytest.mark.parametrize(
    "text",
    [
        "ana@acme.example", "Ana.Lee@Acme.Example", "a@b.co", "first.last+tag@sub.domain.example", "x_y%z-1@a-b.io",
        f"{'a' * 64}@acme.example",
    ],
)  # fmt: skip
def test_an_address_is_kept_in_small_letters(text: str):
    assert address(text) == text.lower()
    assert address(address(text)) == address(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "ana", "@acme.example", "ana@", "ana@acme", "ana@@acme.example", "ana@acme..example", ".ana@acme.example",
        "ana.@acme.example", "an..a@acme.example", "ana@-acme.example", "ana@acme-.example", "ana@acme.e",
        "ana@acme.example.", " ana@acme.example", "ana@acme.example\n", "ana@acme.example\0", "a na@acme.example",
        '"ana"@acme.example', "<ana@acme.example>", "ana@acme.example,ben@acme.example", "ana@[10.0.0.1]",
        "ana@10.0.0.1", "anа@acme.example", "\u212aai@acme.example", "ana@acme.example\u200b", "ana'@acme.example",
        f"{'a' * 65}@acme.example", "a@" + "b" * 64 + ".example", "a@" + "b.cc" * 70,
    ],
)  # fmt: skip
def test_what_is_no_usual_address_is_refused_and_never_repeated(text: str):
    with pytest.raises(InvalidArgument) as refused:
        address(text)
    assert refused.value.parameter == "email"
    assert len(text) < 6 or text not in refused.value.sentence


@given(st.text(max_size=300))
def test_no_text_whatever_becomes_an_address_that_is_not_one_already(text: str):
    try:
        kept = address(text)
    except InvalidArgument:
        return
    assert kept == text.lower()
    assert kept.isascii()
    assert not is_user_id(kept)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_takes_its_own_arguments_and_names_those_that_do_not_go_with_it(action: Action):
    every: dict[str, Any] = {"email": "ana@acme.example", "user_id": "u-1", "role": "admin"}
    takes = {"invite": {"email", "role"}, "change_role": {"user_id", "role"}}.get(action, {"user_id"})
    needs = takes - ({"role"} if action == "invite" else set())
    right = {name: value if name in takes else None for name, value in every.items()}
    assert wanted(action, **right).action == action
    for name, value in every.items():
        if name not in takes:
            with pytest.raises(InvalidArgument, match=f"{name} does not go with action {action}"):
                wanted(action, **{**right, name: value})
        if name in needs:
            with pytest.raises(InvalidArgument, match=f"{name} is required for action {action}"):
                wanted(action, **{**right, name: None})


def test_an_invitation_without_a_role_is_a_members():
    assert wanted("invite", email="Ana@Acme.example", user_id=None, role=None) == Wanted("invite", "ana@acme.example")


def test_what_a_change_makes_of_a_user():
    ana = user()
    assert after(ana, Wanted("remove")) is None
    assert after(ana, Wanted("enable")) == ana
    assert after(ana, Wanted("invite")) == ana
    assert after(ana, Wanted("disable")) == user(enabled=False)
    assert after(ana, Wanted("change_role", role="member")) == user(role="member")


@pytest.mark.parametrize("action", ["disable", "remove"])
@pytest.mark.parametrize("role", get_args(Role))
def test_nobody_disables_or_removes_oneself(action: Action, role: Role):
    for caller in ("u-1", "subject-1"):
        with pytest.raises(Conflict, match="oneself"):
            require_allowed(user(role=role, subject="subject-1"), Wanted(action), caller=caller)


def test_nobody_demotes_oneself_and_anybody_may_do_what_takes_nothing_away():
    with pytest.raises(Conflict, match="oneself"):
        require_allowed(user(), Wanted("change_role", role="member"), caller="u-1")
    assert not require_allowed(user(), Wanted("change_role", role="admin"), caller="u-1")


@pytest.mark.parametrize("confirmed", [True, False])
def test_another_admin_is_asked_for_exactly_where_an_enabled_one_goes(confirmed: bool):
    takes_away = [Wanted("disable"), Wanted("remove"), Wanted("change_role", role="member")]
    for change in takes_away:
        assert require_allowed(user(confirmed=confirmed), change, caller="ben")
        assert not require_allowed(user(enabled=False), change, caller="ben")
        assert not require_allowed(user(role="member"), change, caller="ben")
    assert not require_allowed(user(enabled=False), Wanted("enable"), caller="ben")


def test_every_outcome_is_a_sentence_that_tells_its_own():
    told = {outcome(Wanted(action), None if action == "remove" else user(), changed=True) for action in ACTIONS}
    assert len(told) == len(ACTIONS)
    for action in set(ACTIONS) - {"remove"}:
        assert outcome(Wanted(action), user(), changed=False).startswith("Nothing was done")


def test_a_digest_of_an_address_differs_by_tenant_and_holds_none_of_it():
    digests = {address_digest(tenant, "ana@acme.example") for tenant in ("acme", "globex")}
    assert len(digests) == 2
    assert not [digest for digest in digests if "ana" in digest or "@" in digest]
