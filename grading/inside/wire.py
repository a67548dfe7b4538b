"""How two processes that do not trust each other call each other's functions, and what may pass.

Numbers, text, lists, tuples, dictionaries and arrays of numbers are copied. Anything else stays where
it is, and the other side gets a `Remote` that stands for it. Nothing is pickled: what arrives can be
wrong, but it cannot run.

What a function changes in place in its arguments is changed on the calling side too, as if it were one
process.
"""

import base64
import builtins
import json
import struct
from typing import Any, BinaryIO

import numpy as np

LARGEST = 64_000_000  # bytes of a message
NUMBERS = "biufc"  # kinds of NumPy's types that are copied
WORDS = 500  # characters of an error's message


class WireError(Exception):
    """What arrived is not a message."""


class GoneError(WireError):
    """The other side has hung up."""


class Remote:
    """An object of the other side: to be called, and with the attributes that the other side allows."""

    def __init__(self, peer: "Peer", number: int, kind: str):
        self.__dict__.update(_peer=peer, _number=number, _kind=kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        return self._peer.call(self._number, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask({"do": "attribute", "of": self._number, "name": name})

    def __repr__(self) -> str:
        return f"<{self._kind}>"


class Shared:
    """The lists, dictionaries and arrays of one call, so that what is one object stays one."""

    def __init__(self):
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}

    def add(self, thing: Any) -> int:
        """Number an object."""
        self.numbers[id(thing)] = len(self.objects)
        self.objects.append(thing)
        return len(self.objects) - 1


class Peer:
    """One end of the wire. `allow_attributes` says whether the other end may look into our objects."""

    catches: type[BaseException] = Exception  # what our functions may raise without ending us

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, *, allow_attributes: bool):
        self.incoming, self.outgoing = incoming, outgoing
        self.allow_attributes = allow_attributes
        self.exported: list[Any] = []  # what the other side holds a Remote of

    # Messages

    def send(self, message: dict) -> None:
        """Send a message: its length, then JSON."""
        data = json.dumps(message).encode()
        try:
            self.outgoing.write(struct.pack(">I", len(data)) + data)
            self.outgoing.flush()
        except (OSError, ValueError) as error:
            raise GoneError("nobody listens") from error

    def receive(self) -> dict:
        """Wait for a message."""
        (length,) = struct.unpack(">I", self._read(4))
        if length > LARGEST:
            raise WireError(f"a message of {length} bytes")
        try:
            message = json.loads(self._read(length))
        except (ValueError, RecursionError) as error:
            raise WireError("a message that is not JSON") from error
        if not isinstance(message, dict):
            raise WireError("a message that is not a dictionary")
        return message

    def _read(self, length: int) -> bytes:
        try:
            data = self.incoming.read(length)
        except (OSError, ValueError) as error:
            raise GoneError("nobody speaks") from error
        if len(data) < length:
            raise GoneError("nobody speaks")
        return data

    # Calls

    def ask(self, message: dict) -> Any:
        """Send a request, serve what the other side asks meanwhile, and return its answer."""
        shared = Shared()
        if "args" in message:
            arguments = message.pop("args")
            message["args"] = self.encode(arguments, shared)
        theirs = len(shared.objects)
        self.send(message)
        while True:
            answer = self.receive()
            if "do" not in answer:
                break
            self.answer(answer)
        try:
            for number, body in enumerate(answer.get("changed", [])[:theirs]):
                self._renew(shared.objects[number], body, shared)
            error, value = answer.get("error"), None
            if error is None:
                value = self.decode(answer.get("value"), shared)
            else:
                error = error_named(*map(str, error))
        except (KeyError, IndexError, TypeError, AttributeError) as problem:
            raise WireError("an answer that does not follow the rules") from problem
        if error is not None:
            raise error
        return value

    def call(self, target: Any, args: tuple, kwargs: dict) -> Any:
        """Call an object of the other side, by its number or by its name."""
        return self.ask({"do": "call", "of": target, "args": [list(args), dict(kwargs)]})

    def answer(self, message: dict) -> None:
        """Do what the other side asks for, and send what comes out."""
        shared = Shared()
        try:
            arguments = self.decode(message["args"], shared) if "args" in message else None
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise WireError("a request that does not follow the rules") from error
        reply: dict[str, Any] = {}
        theirs = len(shared.objects)
        try:
            value = self.do(message, arguments)
        except self.catches as error:
            reply["error"] = described(error)
        reply["changed"] = [self._body(thing, shared) for thing in shared.objects[:theirs]]
        if "error" not in reply:
            reply["value"] = self.encode(value, shared)
        self.send(reply)

    def do(self, message: dict, arguments: Any) -> Any:
        """Carry out one request."""
        if message["do"] == "call":
            args, kwargs = arguments
            return self.target(message["of"])(*args, **kwargs)
        if message["do"] == "attribute":
            if not self.allow_attributes:  # to `getattr` and `hasattr`, there is no such attribute
                raise AttributeError("a request that is not allowed")
            return getattr(self.target(message["of"]), message["name"])
        raise WireError("a request that is not allowed")

    def target(self, name: Any) -> Any:
        """The object of ours that a request names."""
        if type(name) is not int or not 0 <= name < len(self.exported):
            raise WireError("there is no such object")
        return self.exported[name]

    # Values

    def encode(self, value: Any, shared: Shared) -> Any:
        """Turn a value into JSON."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, str):  # as NumPy's, or a member of an enumeration
            return str.__str__(value)
        if isinstance(value, complex) and type(value) is complex:
            return {"is": "complex", "parts": [value.real, value.imag]}
        if isinstance(value, np.generic) and value.dtype.kind in NUMBERS:
            return {"is": "scalar", **_bytes(np.asarray(value))}
        if isinstance(value, Remote) and value._peer is self:
            return {"is": "yours", "number": value._number}
        if isinstance(value, tuple):
            return {"is": "tuple", "items": [self.encode(item, shared) for item in value]}
        if id(value) in shared.numbers:
            return {"is": "again", "number": shared.numbers[id(value)]}
        copied = isinstance(value, list | dict)
        if copied or (isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS):
            shared.add(value)
            return self._body(value, shared)
        self.exported.append(value)
        return {"is": "remote", "number": len(self.exported) - 1, "kind": type(value).__name__}

    def _body(self, value: Any, shared: Shared) -> dict:
        if isinstance(value, np.ndarray):
            return {"is": "array", **_bytes(value)}
        if isinstance(value, dict):
            pairs = [[self.encode(k, shared), self.encode(v, shared)] for k, v in list(value.items())]
            return {"is": "dict", "items": pairs}
        return {"is": "list", "items": [self.encode(item, shared) for item in list(value)]}

    def decode(self, value: Any, shared: Shared) -> Any:
        """Turn JSON into a value."""
        if not isinstance(value, dict):
            return value
        kind = value["is"]
        if kind == "complex":
            return complex(*value["parts"])
        if kind == "scalar":
            return _array(value)[()]
        if kind == "yours":
            return self.target(value["number"])
        if kind == "remote":
            return Remote(self, int(value["number"]), str(value["kind"])[:80])
        if kind == "again":
            return shared.objects[value["number"]]
        if kind == "tuple":
            return tuple(self.decode(item, shared) for item in value["items"])
        thing = {"list": list, "dict": dict}[kind]() if kind != "array" else _array(value)
        shared.add(thing)
        if kind != "array":
            self._renew(thing, value, shared)
        return thing

    def _renew(self, thing: Any, body: dict, shared: Shared) -> None:
        """Give a list, dictionary or array of ours the contents that it has on the other side."""
        if isinstance(thing, np.ndarray):
            new = _array(body)
            if new.shape == thing.shape and new.dtype == thing.dtype and thing.flags.writeable:
                thing[...] = new
        elif isinstance(thing, dict):
            pairs = [(self.decode(k, shared), self.decode(v, shared)) for k, v in body["items"]]
            thing.clear()
            thing.update(pairs)
        else:
            thing[:] = [self.decode(item, shared) for item in body["items"]]


def _bytes(array: np.ndarray) -> dict:
    plain = np.asarray(array)
    data = base64.b64encode(np.ascontiguousarray(plain).tobytes()).decode()
    return {"type": plain.dtype.str, "shape": list(plain.shape), "data": data}


def _array(body: dict) -> np.ndarray:
    dtype = np.dtype(str(body["type"]))
    if dtype.kind not in NUMBERS:
        raise WireError("an array that does not hold numbers")
    try:
        flat = np.frombuffer(base64.b64decode(body["data"]), dtype)
        return flat.reshape([int(n) for n in body["shape"]]).copy()
    except ValueError as error:
        raise WireError("an array whose size is not that of its data") from error


def described(error: BaseException) -> list[str]:
    """The type and the words of an error; an error that cannot even be printed is no trouble."""
    try:
        words = str(error)[:WORDS]
    except BaseException:
        words = ""
    return [type(error).__name__[:80], words]


def error_named(kind: str, words: str) -> Exception:
    """An error like that of the other side, if it is one of Python's own."""
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(words)
        except TypeError:  # as UnicodeDecodeError, which wants five arguments
            pass
    return RuntimeError(f"{kind}: {words}")
