"""Who may sign in: the users of users.json, made with a few at the first start."""

from dataclasses import asdict, dataclass

from tenantscope_sandbox.state import State

FILE = "issuer/users.json"
CLIENT_ID = "sandbox-machine"


@dataclass(frozen=True)
class User:
    """A person: of a tenant, or of the provider's staff when no tenant is named."""

    name: str
    tenant: str | None = None
    tier: str | None = None


FIRST_USERS = (
    User("ana@acme", "acme", "growth"),
    User("bob@acme_corp", "acme_corp", "enterprise"),
    User("gil@globex", "globex", "growth"),
    User("ops@provider"),
)


def users(state: State) -> list[User]:
    """Return the users who may sign in."""
    if not (state.root / FILE).exists():
        state.write(FILE, {"users": [asdict(user) for user in FIRST_USERS]}, 0o644)
    return [User(**entry) for entry in state.read(FILE)["users"]]


def find_user(state: State, name: str) -> User | None:
    """Return a user by name."""
    return next((user for user in users(state) if user.name == name), None)
