"""What other planes are told, in the words of the AWS SaaS Builder Toolkit: detail types and a tenant's fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Plane(StrEnum):
    """Which of the Toolkit's planes speaks: the one that asks for something, or the one that did it."""

    CONTROL = "control"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `detail` holds JSON values."""

    plane: Plane
    detail_type: str
    detail: Mapping[str, Any]


_TOLD = ("tenantId", "tenantName", "tier", "email", "tenantStatus", "tenantRegistrationId", "plan")
"""Fields of a record that go along with an event; the Toolkit's first."""

Record = Mapping[str, Any]


def onboarding_requested(record: Record, *, sample_data: bool) -> Event:
    """A tenant is being taken in; application planes provision for it."""
    return Event(Plane.CONTROL, "sbt_aws_onboardingRequest", {**_told(record), "sampleData": sample_data})


def provisioned(record: Record) -> Event:
    """A tenant was taken in and may call."""
    return Event(Plane.APPLICATION, "sbt_aws_provisionSuccess", _done(record))


def provisioning_failed(record: Record, fault: str) -> Event:
    """A tenant could not be taken in; `fault` is our own sentence that says why."""
    return Event(Plane.APPLICATION, "sbt_aws_provisionFailure", {**_done(record), "fault": fault})


def activated(record: Record) -> Event:
    """A tenant may call again."""
    return Event(Plane.CONTROL, "sbt_aws_activateRequest", _told(record))


def deactivated(record: Record) -> Event:
    """A tenant may not call for now."""
    return Event(Plane.CONTROL, "sbt_aws_deactivateRequest", _told(record))


def offboarding_requested(record: Record) -> Event:
    """A tenant leaves; application planes take down what they keep for it."""
    return Event(Plane.CONTROL, "sbt_aws_offboardingRequest", _told(record))


def deprovisioned(tenant: str, registration: str | None) -> Event:
    """Nothing of a tenant is left here."""
    output = {"tenantStatus": "Offboarded"}
    named = {"tenantId": tenant} | ({} if registration is None else {"tenantRegistrationId": registration})
    return Event(Plane.APPLICATION, "sbt_aws_deprovisionSuccess", {**named, "jobOutput": output})


def user_created(tenant: str, user_id: str) -> Event:
    """A tenant has a user more; told by id, not by name."""
    return Event(Plane.APPLICATION, "sbt_aws_tenantUserCreated", {"tenantId": tenant, "userId": user_id})


def user_deleted(tenant: str, user_id: str) -> Event:
    """A tenant has a user less."""
    return Event(Plane.APPLICATION, "sbt_aws_tenantUserDeleted", {"tenantId": tenant, "userId": user_id})


def updated(record: Record, fields: list[str]) -> Event:
    """Something of a tenant's record changed: a type of ours, for which the Toolkit has no word."""
    return Event(Plane.CONTROL, "tenantscope_tenantUpdated", {**_told(record), "changed": fields})


def _told(record: Record) -> dict[str, Any]:
    return {name: str(record[name]) for name in _TOLD if record.get(name)}


def _done(record: Record) -> dict[str, Any]:
    """As an application plane's job answers: what the control plane writes into the record stands in `jobOutput`."""
    return {**_told(record), "jobOutput": {"tenantStatus": str(record.get("tenantStatus", ""))}}
