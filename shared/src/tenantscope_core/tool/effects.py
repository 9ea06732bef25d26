"""What a tool does to the world, stated by every tool and shown to hosts as annotations."""

from dataclasses import dataclass

from mcp.types import ToolAnnotations


@dataclass(frozen=True, slots=True)
class Effects:
    """Whether calling changes anything, can destroy, may be repeated, and reaches beyond the tenant's own data."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    def annotations(self, title: str) -> ToolAnnotations:
        """The protocol's annotations for these effects."""
        return ToolAnnotations(
            title=title,
            read_only_hint=self.read_only,
            destructive_hint=self.destructive,
            idempotent_hint=self.idempotent,
            open_world_hint=self.open_world,
        )


READ = Effects(read_only=True, destructive=False, idempotent=True, open_world=False)
