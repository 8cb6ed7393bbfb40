"""How many objects hang on one: what tells growth from an allocator's habits."""

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)
"""What many objects have in common, and nobody's memory is."""


def reachable(root: object) -> int:
    """The objects that can be reached from one, itself among them; classes, modules and functions are left out."""
    found = {id(root): root}
    waiting = [root]
    while waiting:
        for each in gc.get_referents(waiting.pop()):
            if id(each) not in found and not isinstance(each, _SHARED):
                found[id(each)] = each
                waiting.append(each)
    return len(found)
