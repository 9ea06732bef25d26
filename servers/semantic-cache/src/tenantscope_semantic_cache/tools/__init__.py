"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_semantic_cache.tools.get_cache_stats import get_cache_stats
from tenantscope_semantic_cache.tools.lookup_answer import lookup_answer
from tenantscope_semantic_cache.tools.store_answer import store_answer

TOOLS = (lookup_answer, store_answer, get_cache_stats)
