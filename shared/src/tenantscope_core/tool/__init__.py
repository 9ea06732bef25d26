"""How a tool is declared, and the straight path that every call of one takes."""

from tenantscope_core.tool.call import Call
from tenantscope_core.tool.declaration import ShownTo, Tool, tool
from tenantscope_core.tool.effects import READ, Effects

__all__ = ["READ", "Call", "Effects", "ShownTo", "Tool", "tool"]
