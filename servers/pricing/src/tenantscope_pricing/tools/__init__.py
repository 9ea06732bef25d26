"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_core.tool import Tool

TOOLS: tuple[Tool, ...] = ()
