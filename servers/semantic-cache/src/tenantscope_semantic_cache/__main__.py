"""`tenantscope-semantic-cache`."""

from tenantscope_core.serving.run import run

from tenantscope_semantic_cache.server import SERVER


def main() -> None:
    """Run the server or one of its commands."""
    run(SERVER)


if __name__ == "__main__":
    main()
