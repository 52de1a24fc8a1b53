"""Translated functions as Numba's own: its other functions call them, its wrappers call them, its cache keeps them."""

import inspect

from llvmlite import binding, ir
from numba import types
from numba.core import bytecode, cgutils, config, funcdesc, typing
from numba.core.compiler import compile_result
from numba.core.environment import Environment
from numba.core.imputils import builtin_registry
from numba.cpython import numbers  # noqa: F401 - puts constants into the registry

from .functions import module_text, translate
from .values import Unsupported, assemble, flat, flat_types, from_numba, to_numba, unpack


def compiled(state, function, library):
    """Translate a function, for the arguments and flags of a state of Numba's pipeline, into a library.

    Parameters
    ----------
    state : StateDict
    function : function
    library : CodeLibrary
        Not finalized.

    Returns
    -------
    CompileResult
        As Numba's pipeline returns it.

    Raises
    ------
    Unsupported
        Nothing has happened then.
    """
    flags, context = state.flags, state.targetctx
    if config.BOUNDSCHECK or flags.boundscheck or flags.debuginfo:
        raise Unsupported("what helps to find mistakes")
    placed = "alwaysinline" if flags.forceinline else "noinline" if getattr(library, "apart", False) else ""
    fastmath = flags.fastmath.flags if flags.fastmath else ()
    unit = translate(function, state.args, fastmath, placed)
    returned = unit.type if state.return_type is None else state.return_type
    identity = bytecode.FunctionIdentity.from_function(function)
    description = funcdesc.PythonFunctionDescriptor(
        native=True, modname=function.__module__, qualname=identity.func_qualname, unique_name=identity.unique_name, doc="",
        typemap=None, restype=returned, calltypes=None, args=tuple(inspect.signature(function).parameters), kws=(),
        mangler=context.mangler, argtypes=tuple(state.args), inline=flags.forceinline, abi_tags=[flags.get_mangle_string()],
        uid=identity.unique_id,
    )  # fmt: skip
    environment = Environment.from_fndesc(description)
    context = context.subtarget(environment=environment, fndesc=description)
    module = library.create_ir_module(description.unique_name)
    context.declare_env_global(module, context.get_env_name(description))
    call_helper = _door(context, module, description, unit)
    text = cgutils.normalize_ir_text(f"{_without_declaration(module, unit)}\n{module_text([unit])}")
    parsed = binding.parse_assembly(text)
    parsed.name = module.name
    with context.push_code_library(library):
        library.add_llvm_module(parsed)
        if not flags.no_cpython_wrapper:
            _wrap(context, library, description, environment, call_helper, flags.release_gil)
        if not flags.no_cfunc_wrapper:
            context.create_cfunc_wrapper(library, description, environment, call_helper)
    entry = None
    if not flags.no_compile:
        entry = context.get_executable(library, description, environment)
        context.insert_user_function(entry, description, [library])
    return compile_result(
        typing_context=state.typingctx, target_context=state.targetctx, entry_point=entry, typing_error=None, type_annotation="",
        library=library, call_helper=call_helper, signature=typing.signature(returned, *state.args), objectmode=False, lifted=(),
        fndesc=description, environment=environment, metadata={}, reload_init=[],
    )  # fmt: skip


def _wrap(context, *arguments):
    """Add the function that Python calls."""
    context.install_registry(builtin_registry)
    try:  # without what Numba imports as soon as it does not find something, for half a second
        context.subtarget(refresh=lambda: None).create_cpython_wrapper(*arguments)
    except NotImplementedError:
        context.refresh()
        context.create_cpython_wrapper(*arguments)


def _door(context, module, description, unit):
    """The function by which Numba's functions call a translated one; returns its call helper."""
    function = context.declare_function(module, description)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    convention = context.call_conv
    helper = convention.init_call_helper(builder)
    arguments = convention.decode_arguments(builder, description.argtypes, function)
    values = [
        x
        for kind, argument in zip(description.argtypes, arguments, strict=True)
        if not isinstance(kind, types.Omitted)  # known there
        for x in flat(from_numba(builder, kind, argument))
    ]
    result = builder.call(unit.declared(module), values)
    value = assemble(
        unit.type, iter(unpack(builder, result, len(flat_types(unit.type))) if flat_types(unit.type) else ())
    )
    returned = to_numba(builder, value)
    if unit.type != description.restype:
        if unit.type != types.int64 or not isinstance(description.restype, types.Integer):
            raise Unsupported(f"{unit.type} for {description.restype}")
        returned = builder.trunc(returned, context.get_value_type(description.restype))
    convention.return_value(builder, context.get_return_value(builder, description.restype, returned))
    return helper


def _without_declaration(module, unit):
    """Text of a module, but for the declaration of what is defined behind it."""
    declaration = str(module.globals[unit.name]).strip()
    return str(module).replace(declaration, "")
