"""`tenantscope-semantic-cache`."""

from tenantscope_core.serving.start import importing


def main() -> None:
    """Run the server or one of its commands."""
    with importing():
        from tenantscope_core.serving.run import run

        from tenantscope_semantic_cache.server import SERVER
    run(SERVER)


if __name__ == "__main__":
    main()
