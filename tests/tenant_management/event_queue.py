"""A queue that hears all that is said on the event bus, and the server's jobs run as an operator runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantscope_sandbox import Sandbox


@dataclass
class EventQueue:
    """Events as EventBridge gives them to a target, in the order in which they came."""

    sqs: Any
    url: str
    _heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def of(self, tenant: str) -> list[dict[str, Any]]:
        """All events about a tenant so far."""
        while True:
            messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return [event for event in self._heard if event["detail"]["tenantId"] == tenant]
            for message in messages:
                self._heard.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def types(self, tenant: str) -> list[str]:
        """Their types."""
        return [event["detail-type"] for event in self.of(tenant)]


@contextmanager
def listening_queue(sandbox: Sandbox) -> Generator[EventQueue]:
    """A queue behind a rule that takes everything, for a block."""
    events, sqs, bus = sandbox.client("events"), sandbox.client("sqs"), sandbox.outputs["EventBus"]
    url = sqs.create_queue(QueueName="all-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": [{"prefix": ""}]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    try:
        yield EventQueue(sqs, url)
    finally:
        events.remove_targets(Rule="all", EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name="all", EventBusName=bus)
        sqs.delete_queue(QueueUrl=url)


def job(sandbox: Sandbox, *words: str, **changes: str) -> tuple[int, str]:
    """Run a job of the server with other settings; its exit code, and all that it printed."""
    environment = {**os.environ, **sandbox.server_env("tenant-management", provider=True), **changes}
    command = [str(Path(sys.executable).with_name("tenantscope-tenant-management")), *words]
    done = subprocess.run(command, env=environment, timeout=120, capture_output=True, text=True)
    return done.returncode, done.stdout
