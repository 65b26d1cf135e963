"""Types of messages as the code declares them: names, words on fields, JSON schemas."""

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import pairwise
from types import GenericAlias, ModuleType, UnionType
from typing import Any, Final, cast, get_args, get_origin

import msgspec
from pydantic import BaseModel

from pointsman import contracts
from pointsman.contracts.message import Message
from pointsman.contracts.recorded import Recorded

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"

_CONTRACTS: Final = f"{contracts.__name__}."

# What msgspec says of tagged unions has the form of OpenAPI; each member names its own tag.
_FOREIGN: Final = "discriminator"


def list_item(type_: object) -> object | None:
    """What a list type is a list of."""
    return get_args(type_)[0] if get_origin(type_) is list else None


def type_name(type_: object) -> str:
    """The name of a class, or of a union in the contracts; a list of `X` is `X.list`.

    Raises:
        LookupError: The union has no name there.
    """
    item = list_item(type_)
    if item is not None:
        return f"{type_name(item)}.list"
    if inspect.isclass(type_):
        return next((name for name, each in structs().items() if each is type_), type_.__name__)
    return union_name(get_args(type_))


def union_name(members: Sequence[object]) -> str:
    """What the contracts call a union; raises `LookupError` when it has no name there."""
    for name, found in unions().items():
        if set(found) == set(members):
            return name
    raise LookupError(f"{members} have no name in pointsman.contracts; give them one")


@cache
def unions() -> Mapping[str, tuple[type[Message], ...]]:
    """The members of every union of messages that has a name."""
    return {
        name: get_args(value)
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, UnionType)
        and all(issubclass(each, Message) for each in get_args(value))
    }


@cache
def enums() -> Mapping[str, type[StrEnum]]:
    """Every set of words of the contracts by its name."""
    return {
        name: value
        for module in _modules()
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, StrEnum) and value is not StrEnum
    }


def words(type_: object) -> str:
    """The first sentence of a type's docstring, of a union the docstrings' of its members."""
    item = list_item(type_)
    if item is not None:
        return words(item)
    if not inspect.isclass(type_):
        return " ".join(words(member) for member in get_args(type_))
    return inspect.cleandoc(type_.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


@cache
def structs() -> Mapping[str, type[Message]]:
    """Every message of the contracts; names that two modules use stand behind their module's."""
    found: dict[str, set[type[Message]]] = {}
    for module in _modules():
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Message):
                found.setdefault(value.__name__, set()).add(value)
    return {
        name if len(types) == 1 else f"{type_.__module__}.{name}".removeprefix(_CONTRACTS): type_
        for name, types in found.items()
        for type_ in types
    }


@cache
def _ambiguous() -> tuple[type[Message], ...]:
    return tuple(type_ for name, type_ in structs().items() if "." in name)


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(contracts.__path__, contracts.__name__ + ".")
    )


@cache
def field_words(type_: type) -> Mapping[str, str]:
    """What stands below the fields of a class, its own and the inherited ones."""
    found: dict[str, str] = {}
    for each in reversed(type_.__mro__):
        if issubclass(each, Message):
            found.update(_own_field_words(each))
    return found


def _own_field_words(type_: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(type_))).body
    for before, after in pairwise(cast("ast.ClassDef", definition).body):
        match before, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
            case _:
                pass


@cache
def _recorded() -> type[msgspec.Struct]:
    """`Recorded` with an object for its raw bytes, which msgspec does not describe."""
    fields: list[tuple[str, type, Any]] = [
        (field.name, field.type, msgspec.NODEFAULT if field.required else field.default)
        for field in msgspec.structs.fields(Recorded)
        if field.type is not msgspec.Raw
    ]
    return msgspec.defstruct(
        Recorded.__name__,
        [*fields, ("data", dict[str, Any], dict[str, Any]())],
        kw_only=True,
        namespace={"__doc__": Recorded.__doc__},
    )


class Schemas:
    """Schemas of messages, and of the types in them under `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, type_: object) -> Schema:
        """The schema of a struct, of a union or list of structs, or of a model."""
        if inspect.isclass(type_) and issubclass(type_, BaseModel):
            return self._model(type_)
        type_ = GenericAlias(list, (_recorded(),)) if list_item(type_) is Recorded else type_
        # Together with them, so that their names are told apart.
        (schema, *_), inner = msgspec.json.schema_components(
            [type_, *_ambiguous()], ref_template=REFERENCE
        )
        known = {name.removeprefix(_CONTRACTS): _plain(each) for name, each in inner.items()}
        plain = _plain(schema)
        self._add(plain, known)
        return plain

    def _add(self, schema: Schema, known: Mapping[str, Schema]) -> None:
        for name in references(schema):
            if name not in self.components:
                self.components[name] = _with_words(name, known[name])
                self._add(known[name], known)

    def _model(self, type_: type[BaseModel]) -> Schema:
        schema: Schema = type_.model_json_schema(ref_template=REFERENCE.replace("name", "model"))
        for name, each in schema.pop("$defs", {}).items():
            self.components.setdefault(name, _plain(each))
        self.components[type_.__name__] = _plain(schema)
        return reference(type_.__name__)

    def ordered(self) -> dict[str, Schema]:
        return {name: self.components[name] for name in sorted(self.components)}


def references(value: object) -> Iterator[str]:
    """Names of the components that a schema refers to."""
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from references(each)
    elif isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            if key == "$ref":
                yield str(each).rpartition("/")[2]
            else:
                yield from references(each)


def reference(name: str) -> Schema:
    return {"$ref": REFERENCE.format(name=name)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON is any value
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    schema = cast("Schema", value)
    found = {name: _plain(each) for name, each in schema.items() if name != _FOREIGN}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace(_CONTRACTS, "")
    if isinstance(found.get("pattern"), str):
        # Python's end of a text, in the words of JSON Schema.
        found["pattern"] = found["pattern"].replace("\\Z", "$")
    return found


def _with_words(name: str, schema: Schema) -> Schema:
    if name not in structs():
        return schema
    for field, text in field_words(structs()[name]).items():
        inner = schema["properties"][field]
        # Beside a reference nothing else counts.
        schema["properties"][field] = (
            {"allOf": [inner], "description": text}
            if "$ref" in inner
            else {**inner, "description": text}
        )
    return schema
