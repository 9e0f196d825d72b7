"""
Declarative definitions: a class says which attributes and elements it has, and is read and written by that.

A class that describes an XML element is an L{definition<pyvirt.definitions.values.definition>} whose fields are made by the
functions here.  The order of the fields is the order of writing; C{xmlOrder} changes that for inherited ones,
C{xmlReadOrder} names fields that are read, and complained of, before the others.  From these descriptions a
reader and a writer are compiled once per class, on first use, as straight-line source.

Hooks a class may define:
 - C{readElement(cls, node, context)}: reads instead of the compiled reader (which is L{reader}).
 - C{xmlLast}: of several elements of one name the last counts, not the first.
 - C{xmlOmitEmpty}: an element in which nothing stands is not written.
 - C{xmlOpen}: an element in which nothing stands has two tags all the same.
 - C{prepare(cls, node, context)}: complains before any field is read.
 - C{settle(self, node, context)}: checks what was read and returns it, or something else in its place.
 - C{writeElement(self, out, indent, tag, context)}: writes instead of the compiled writer (L{writer}).

The form is that of libvirt: two spaces of indentation, single quotes, C{<a/>} for an element with nothing
in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from pyvirt.definitions.kinds import TEXT, Kind, escape, missingAttribute, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.values import Field

__all__ = [
    "Context",
    "attribute",
    "classOf",
    "element",
    "elementAttribute",
    "elements",
    "inline",
    "present",
    "reader",
    "replaced",
    "special",
    "text",
    "writer",
]

_SPEC = "pyvirt.definitions"


@attrs.define(slots=True)
class Context:
    """
    What reading or writing one document depends on besides the document.

    @ivar inactive: of the persistent form: nothing that only a running object has.
    @ivar secure: passwords may be written.
    @ivar numbered: numbers of images are written even so.
    @ivar migratable: of the form that is sent to another host.
    @ivar extra: what a definition's own module keeps here.
    """

    inactive: bool = True
    secure: bool = False
    migratable: bool = False
    status: bool = False
    numbered: bool = False
    extra: Any = None


@attrs.frozen(kw_only=True)
class Spec:
    """How one field stands in the XML."""

    form: str
    name: str | None = None
    kind: Any = TEXT
    inner: str = ""
    required: bool = False
    default: Any = None
    when: str | None = None
    read: Callable[[Node, dict[str, list[Node]], Context], Any] | None = None
    write: Callable[[Any, list[str], str, Context], None] | None = None
    tags: tuple[str, ...] = ()
    missing: Callable[[Node], Exception] | None = None
    keepEmpty: bool = True


def _field(spec: Spec) -> Any:
    return Field(spec.default, {_SPEC: spec})


def attribute(
    kind: Kind = TEXT,
    name: str | None = None,
    *,
    required: bool = False,
    default: Any = None,
    when: str | None = None,
    missing: Callable[[Node], Exception] | None = None,
) -> Any:
    """
    An attribute of the element.

    @param required: whether its absence is an error, which C{missing} may make.
    @param default: the value of an absent one; None is not written.
    @param when: written only if the context has this set.
    """
    return _field(
        Spec(
            form="attribute",
            name=name,
            kind=kind,
            required=required,
            default=default,
            when=when,
            missing=missing,
        )
    )


def text(kind: Kind = TEXT, *, default: Any = None) -> Any:
    """The text inside the element."""
    return _field(Spec(form="text", kind=kind, default=default))


def element(
    kind: Any = TEXT, name: str | None = None, *, default: Any = None, when: str | None = None
) -> Any:
    """
    An element inside: of another class, or one with only text of a L{Kind}.

    @param kind: the class, or a function giving it where it is defined later, or a kind.
    """
    return _field(Spec(form="element", name=name, kind=kind, default=default, when=when))


def elements(kind: Any, name: str | None = None, *, when: str | None = None) -> Any:
    """Any number of elements of one name, as a tuple."""
    return _field(Spec(form="elements", name=name, kind=kind, default=(), when=when))


def elementAttribute(
    name: str,
    inner: str,
    kind: Kind = TEXT,
    *,
    default: Any = None,
    required: bool = False,
    when: str | None = None,
) -> Any:
    """The one attribute C{inner} of an element C{name} inside."""
    return _field(
        Spec(
            form="elementAttribute",
            name=name,
            inner=inner,
            kind=kind,
            default=default,
            required=required,
            when=when,
        )
    )


def present(name: str | None = None, *, when: str | None = None) -> Any:
    """Whether an empty element is there."""
    return _field(Spec(form="present", name=name, default=False, when=when))


def inline(kind: Any) -> Any:
    """The fields of another class, standing in this same element."""
    return _field(Spec(form="inline", kind=kind))


def special(
    *,
    tags: str = "",
    read: Callable[[Node, dict[str, list[Node]], Context], Any] | None = None,
    write: Callable[[Any, list[str], str, Context], None] | None = None,
    default: Any = None,
) -> Any:
    """
    A field with a reader and a writer of its own.

    @param tags: the names of the elements inside that the reader wants, separated by blanks.
    @param read: C{(element, elements inside by name, context)} to value.
    @param write: C{(value, out, indent, context)}: appends elements; not called for the default.
    """
    return _field(
        Spec(form="special", read=read, write=write, default=default, tags=tuple(tags.split()))
    )


_T = TypeVar("_T")
_open: dict[type, type] = {}
_copiers: dict[type, Callable[[Any], Any]] = {}


def openOf(cls: type) -> type:
    """
    Return the open form of a frozen class: the same slots, which plain assignment fills.

    An instance of it becomes one of the frozen class when its C{__class__} is set.  That is much faster than
    the constructor, which has to go around the frozen class's refusal field by field.
    """
    found = _open.get(cls)
    if found is None:
        found = _open[cls] = type(
            cls.__name__,
            (cls,),
            {
                "__slots__": (),
                "__setattr__": object.__setattr__,
                "__delattr__": object.__delattr__,
            },
        )
    return found


def replaced(value: _T, /, **changes: Any) -> _T:
    """
    Return a copy of a definition's value with other fields, or the value itself if they are the same.

    The same as C{attrs.evolve}, many times as fast: most definitions are completed by a few of these.
    """
    for name, change in changes.items():
        if getattr(value, name) is not change:
            break
    else:
        return value
    cls = type(value)
    copy = _copiers.get(cls)
    if copy is None:
        copy = _copiers[cls] = _compileCopier(cls)
    made = copy(value)
    for name, change in changes.items():
        setattr(made, name, change)
    made.__class__ = cls
    result: _T = made
    return result


def _compileCopier(cls: type) -> Callable[[Any], Any]:
    """Compile a function that copies all fields of a frozen, slotted class into its open form."""
    lines = ["def copy(v):", " o = NEW(OPEN)"]
    lines += [f" o.{field.name} = v.{field.name}" for field in attrs.fields(cls)]
    lines.append(" return o")
    compiled: Callable[[Any], Any] = _run(
        lines, {"NEW": object.__new__, "OPEN": openOf(cls)}, f"<copier of {cls.__name__}>", "copy"
    )
    return compiled


Reader = Callable[[Node, Context], Any]
Writer = Callable[[Any, list[str], str, str, Context], None]

_readers: dict[type, Reader] = {}
_writers: dict[type, Writer] = {}
_plainReaders: dict[type, Reader] = {}
_plainWriters: dict[type, Writer] = {}


def specsOf(cls: type) -> dict[str, Spec]:
    """Return the described fields of a class in their order of writing."""
    fields = {f.name: f.metadata[_SPEC] for f in attrs.fields(cls) if _SPEC in f.metadata}
    # What a class adds stands before what it inherits: libvirt writes addresses and aliases last.
    ranks: dict[str, None] = {}
    for base in cls.__mro__:
        ranks.update(dict.fromkeys(vars(base).get("__annotations__", ())))
    fields = {name: fields[name] for name in ranks if name in fields}
    order = getattr(cls, "xmlOrder", None)
    if order:
        names = order.split() if isinstance(order, str) else order
        fields = {name: fields[name] for name in names} | fields
    return {
        name: attrs.evolve(spec, name=spec.name or name) if spec.name is None else spec
        for name, spec in fields.items()
    }


def reader(cls: type) -> Reader:
    """Return the compiled reader of a class: C{(element, context)} to instance."""
    found = _readers.get(cls)
    if found is None:
        own = getattr(cls, "readElement", None)
        found = _readers[cls] = own if own is not None else _compileReader(cls)
    return found


def plainReader(cls: type) -> Reader:
    """Return the compiled reader of a class even if it has a C{readElement} of its own."""
    found = _plainReaders.get(cls)
    if found is None:
        found = _plainReaders[cls] = _compileReader(cls)
    return found


def writer(cls: type) -> Writer:
    """Return the compiled writer of a class: C{(value, out, indent, tag, context)}."""
    found = _writers.get(cls)
    if found is None:
        own = getattr(cls, "writeElement", None)
        found = _writers[cls] = own if own is not None else _compileWriter(cls)
    return found


def plainWriter(cls: type) -> Writer:
    """Return the compiled writer of a class even if it has a C{writeElement} of its own."""
    found = _plainWriters.get(cls)
    if found is None:
        found = _plainWriters[cls] = _compileWriter(cls)
    return found


def _firstReader(kind: Any, space: dict[str, Any], name: str) -> Reader:
    """
    Return what stands for the reader of an inner class until it is first called.

    Then it compiles that reader and puts it in its own place: of the hundreds of classes a domain has,
    one program meets few, and a class may contain itself.
    """

    def read(node: Node, context: Context) -> Any:
        space[name] = found = reader(classOf(kind))
        return found(node, context)

    return read


def _firstWriter(kind: Any, space: dict[str, Any], name: str) -> Writer:
    """Return what stands for the writer of an inner class until it is first called."""

    def write(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        space[name] = found = writer(classOf(kind))
        found(value, out, indent, tag, context)

    return write


def classOf(kind: Any) -> type:
    """Return the class that a field is of: it is given itself, or by what finds it."""
    if isinstance(kind, type):
        return kind
    found = kind()
    assert isinstance(found, type)
    return found


_PLAIN = {TEXT.read}


def _compileReader(cls: type) -> Reader:
    """Compile the reader of a class from its fields."""
    specs = specsOf(cls)
    space: dict[str, Any] = {
        "CLS": cls,
        "missing": missingAttribute,
        "xmlText": xmlText,
        "xmlError": xmlError,
    }
    first = getattr(cls, "xmlReadOrder", "")
    names = [*first.split(), *(name for name in specs if name not in first.split())]
    lines = ["def read(node, context):"]
    wanted: dict[str, None] = {}
    which = "-1" if getattr(cls, "xmlLast", False) else "0"
    if hasattr(cls, "prepare"):
        space["prepare"] = cls.prepare
        lines.append(" prepare(node, context)")
    attributes = [name for name in names if specs[name].form == "attribute"]
    if len(attributes) > 3:
        lines.append(" get = dict(node.items()).get")
    elif attributes:
        lines.append(" get = node.get")
    body: list[str] = []
    #: The fields that only children fill, since the last that is read otherwise, and their source.
    run: dict[str, int] = {}
    inside: list[str] = []

    def flush() -> None:
        """Add the reading of what only children fill; most elements have none, which is seen at once."""
        if run:
            body.append(" if kids:")
            body.extend(f" {line}" for line in inside)
            body.append(" else:")
            none = [f"o.{each}" for each, index in run.items() if space[f"D{index}"] is None]
            if none:
                body.append(f"  {' = '.join(none)} = None")
            body.extend(
                f"  o.{each} = D{index}"
                for each, index in run.items()
                if space[f"D{index}"] is not None
            )
        run.clear()
        inside.clear()

    for index, name in enumerate(names):
        spec = specs[name]
        x = f"o.{name}"
        space[f"D{index}"] = spec.default
        if isinstance(spec.kind, Kind):
            space[f"K{index}"] = spec.kind.read
        tag = spec.name
        if spec.form in ("element", "elements", "elementAttribute", "present"):
            wanted[str(tag)] = None
            run[name] = index
            if isinstance(spec.kind, Kind):
                one = f"K{index}(xmlText(k), k, {tag!r})"
            else:
                one = f"K{index}(k, context)"
                space[f"K{index}"] = _firstReader(spec.kind, space, f"K{index}")
            if spec.form == "present":
                inside.append(f" {x} = {tag!r} in kids")
                continue
            inside.append(f" f = kids.get({tag!r})")
            inside.append(f" if f is None: {x} = D{index}")
            if spec.form == "elements":
                inside.append(f" else: {x} = tuple([{one} for k in f])")
            elif spec.form == "elementAttribute":
                inside.append(" else:")
                inside.append(f"  f = f[{which}]")
                inside.append(f"  t = f.get({spec.inner!r})")
                if spec.required:
                    inside.append(f"  if t is None: raise missing(f, {spec.inner!r})")
                inside.append(f"  {x} = D{index} if t is None else K{index}(t, f, {spec.inner!r})")
            elif isinstance(spec.kind, Kind):
                inside.append(
                    f" else: {x} = K{index}(t, f[{which}], {tag!r})"
                    f" if (t := xmlText(f[{which}])) else D{index}"
                )
            else:
                inside.append(f" else: {x} = K{index}(f[{which}], context)")
            continue
        flush()
        if spec.form == "attribute":
            plain = spec.kind.read in _PLAIN
            if plain and not spec.required and spec.default is None:
                body.append(f" {x} = get({tag!r})")
                continue
            body.append(f" t = get({tag!r})")
            if not spec.required:
                body.append(f" if t is None: {x} = D{index}")
            elif spec.missing is None:
                body.append(f" if t is None: raise missing(node, {tag!r})")
            else:
                space[f"M{index}"] = spec.missing
                body.append(f" if t is None: raise M{index}(node)")
            body.append(f" else: {x} = " + ("t" if plain else f"K{index}(t, node, {tag!r})"))
        elif spec.form == "text":
            body.append(" t = xmlText(node)")
            body.append(f" {x} = K{index}(t, node, node.tag) if t else D{index}")
        elif spec.form == "inline":
            space[f"K{index}"] = _firstReader(spec.kind, space, f"K{index}")
            body.append(f" {x} = K{index}(node, context)")
        elif spec.read is not None:
            wanted.update(dict.fromkeys(spec.tags))
            space[f"K{index}"] = spec.read
            body.append(f" {x} = K{index}(node, kids, context)")
        else:
            body.append(f" {x} = D{index}")
    flush()
    needsKids = bool(wanted) or any(
        spec.form == "special" and spec.read is not None for spec in specs.values()
    )
    if needsKids:
        space["WANTED"] = frozenset(wanted)
        lines += [
            " kids = {}",
            " for k in node:",
            "  t = k.tag",
            "  if t in WANTED:",
            "   if t in kids: kids[t].append(k)",
            "   else: kids[t] = [k]",
        ]
    space["OPEN"] = openOf(cls)
    space["NEW"] = object.__new__
    lines.append(" o = NEW(OPEN)")
    lines += body
    # Fields that do not stand in the document have their defaults.
    for field in attrs.fields(cls):
        if field.name not in specs:
            if field.default is attrs.NOTHING or isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
                raise TypeError(f"{cls.__name__}.{field.name} has no constant default")
            space[f"F_{field.name}"] = field.default
            lines.append(f" o.{field.name} = F_{field.name}")
    lines.append(" o.__class__ = CLS")
    lines.append(" return o.settle(node, context)" if hasattr(cls, "settle") else " return o")
    compiled: Reader = _run(lines, space, f"<reader of {cls.__name__}>", "read")
    return compiled


def _asWriter(compiled: Any) -> Writer:
    made: Writer = compiled
    return made


def _run(lines: list[str], space: dict[str, Any], label: str, name: str) -> Any:
    exec(compile("\n".join(lines), label, "exec"), space)
    return space[name]


def _valueSource(kind: Kind, index: int, x: str, space: dict[str, Any]) -> str:
    """Return an expression for the written form of the value C{x}, for use inside an f-string."""
    if kind.write is None:
        return f"{{{x}}}"
    space[f"W{index}"] = kind.write
    if kind.escaped:
        space["esc"] = escape
        return f"{{esc(W{index}({x}))}}"
    return f"{{W{index}({x})}}"


def _compileWriter(cls: type) -> Writer:
    """Compile the writer of a class from its fields."""
    specs = specsOf(cls)
    space: dict[str, Any] = {}
    lines = ["def write(v, out, ind, tag, context):", " s = f'{ind}<{tag}'"]
    _attributesSource(specs, lines, space, "v", "")
    texts = [name for name, spec in specs.items() if spec.form == "text"]
    parts = [name for name, spec in specs.items() if spec.form not in ("attribute", "text")]
    omit = getattr(cls, "xmlOmitEmpty", False)
    if not parts:
        if texts:
            x = texts[0]
            kind = specs[x].kind
            lines.append(f" x = v.{x}")
            value = _valueSource(kind, 9999, "x", space)
            some = " and len(s) > len(ind) + len(tag) + 1" if omit else ""
            lines.append(" if x is None or x == '':")
            lines.append(f"  if True{some}: out.append(s + '/>\\n')")
            lines.append(f" else: out.append(f'{{s}}>{value}</{{tag}}>\\n')")
        elif omit:
            lines.append(" if len(s) > len(ind) + len(tag) + 1: out.append(s + '/>\\n')")
        else:
            lines.append(" out.append(s + '/>\\n')")
        return _asWriter(_run(lines, space, f"<writer of {cls.__name__}>", "write"))
    lines += [" mark = len(out)", " out.append(s)", " inner = ind + '  '"]
    _elementsSource(specs, lines, space, "v", "")
    if omit:
        lines += [
            " if len(out) == mark + 1:",
            "  if len(s) > len(ind) + len(tag) + 1: out[mark] = s + '/>\\n'",
            "  else: out.pop()",
        ]
    elif getattr(cls, "xmlOpen", False):
        lines.append(" if len(out) == mark + 1: out[mark] = f'{s}>\\n{ind}</{tag}>\\n'")
    else:
        lines.append(" if len(out) == mark + 1: out[mark] = s + '/>\\n'")
    lines += [" else:", "  out[mark] = s + '>\\n'", "  out.append(f'{ind}</{tag}>\\n')"]
    return _asWriter(_run(lines, space, f"<writer of {cls.__name__}>", "write"))


def _attributesSource(
    specs: dict[str, Spec], lines: list[str], space: dict[str, Any], owner: str, pad: str
) -> None:
    """Add the writing of attributes, those of inlined classes included."""
    for name, spec in specs.items():
        index = len(space)
        if spec.form == "attribute":
            value = _valueSource(spec.kind, index, "x", space)
            when = f" and context.{spec.when}" if spec.when else ""
            lines.append(f"{pad} x = {owner}.{name}")
            lines.append(f"{pad} if x is not None{when}: s += f\" {spec.name}='{value}'\"")
        elif spec.form == "inline":
            inner = classOf(spec.kind)
            lines.append(f"{pad} {owner}_{name} = {owner}.{name}")
            lines.append(f"{pad} if {owner}_{name} is not None:")
            lines.append(f"{pad}  pass")
            _attributesSource(specsOf(inner), lines, space, f"{owner}_{name}", pad + " ")


def _elementsSource(
    specs: dict[str, Spec], lines: list[str], space: dict[str, Any], owner: str, pad: str
) -> None:
    """Add the writing of elements, those of inlined classes included."""
    for name, spec in specs.items():
        index = len(space)
        x = f"{owner}.{name}"
        when = f" and context.{spec.when}" if spec.when else ""
        if spec.form in ("attribute", "text"):
            continue
        if spec.form == "inline":
            inner = classOf(spec.kind)
            lines.append(f"{pad} {owner}_{name} = {x}")
            lines.append(f"{pad} if {owner}_{name} is not None:")
            lines.append(f"{pad}  pass")
            _elementsSource(specsOf(inner), lines, space, f"{owner}_{name}", pad + " ")
        elif spec.form in ("element", "elements"):
            if isinstance(spec.kind, Kind):
                value = _valueSource(spec.kind, index, "x", space)
                code = f"out.append(f'{{inner}}<{spec.name}>{value}</{spec.name}>\\n')"
            else:
                space[f"E{index}"] = _firstWriter(spec.kind, space, f"E{index}")
                code = f"E{index}(x, out, inner, {spec.name!r}, context)"
            if spec.form == "element":
                lines.append(f"{pad} x = {x}")
                lines.append(f"{pad} if x is not None{when}: {code}")
            else:
                space.setdefault(f"Z{index}", None)
                if when:
                    lines.append(f"{pad} if True{when}:")
                    lines.append(f"{pad}  for x in {x}: {code}")
                else:
                    lines.append(f"{pad} for x in {x}: {code}")
        elif spec.form == "elementAttribute":
            value = _valueSource(spec.kind, index, "x", space)
            lines.append(f"{pad} x = {x}")
            lines.append(
                f"{pad} if x is not None{when}: "
                f"out.append(f\"{{inner}}<{spec.name} {spec.inner}='{value}'/>\\n\")"
            )
        elif spec.form == "present":
            lines.append(f"{pad} if {x}{when}: out.append(f'{{inner}}<{spec.name}/>\\n')")
        elif spec.write is not None:
            space[f"S{index}"] = spec.write
            space[f"D{index}"] = spec.default
            lines.append(f"{pad} x = {x}")
            lines.append(f"{pad} if x is not D{index}: S{index}(x, out, inner, context)")
