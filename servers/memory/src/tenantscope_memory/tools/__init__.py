"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_core.tool import Tool

from tenantscope_memory.tools.add_events import add_events
from tenantscope_memory.tools.get_conversation import get_conversation
from tenantscope_memory.tools.recall import recall
from tenantscope_memory.tools.remember import remember

TOOLS: tuple[Tool, ...] = (add_events, get_conversation, remember, recall)
