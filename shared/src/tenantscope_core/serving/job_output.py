"""What a job tells whoever runs it."""


def say(line: str) -> None:
    """One line on standard output, at once: a job may run for long."""
    print(line, flush=True)  # noqa: T201
