"""How elementwise primitives become LLVM instructions where all operands are integers or truth values: one table.

An entry takes the writer and the operands as texts of i64 and returns that of an i64. Where NumPy raises or warns
(a division by 0, a negative power) the result is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["INTEGERS"]

INTEGERS: dict[str, Callable[..., str]] = {}


def _emitter(*names: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    def register(f: Callable[..., str]) -> Callable[..., str]:
        INTEGERS.update(dict.fromkeys(names, f))
        return f

    return register


def _test(writer: Any, test: str, a: str, b: str) -> str:
    return writer.op(f"icmp {test} i64 {a}, {b}")


def _select(writer: Any, condition: str, a: str, b: str) -> str:
    return writer.op(f"select i1 {condition}, i64 {a}, i64 {b}")


for _name, _word in {"add": "add", "subtract": "sub", "multiply": "mul"}.items():
    INTEGERS[_name] = lambda writer, a, b, word=_word: writer.op(f"{word} i64 {a}, {b}")


@_emitter("positive", "stop_gradient", "floor", "ceil", "trunc")
def _same(writer: Any, a: str) -> str:
    return a


@_emitter("negative")
def _negative(writer: Any, a: str) -> str:
    return writer.op(f"sub i64 0, {a}")


@_emitter("square")
def _square(writer: Any, a: str) -> str:
    return writer.op(f"mul i64 {a}, {a}")


@_emitter("abs")
def _abs(writer: Any, a: str) -> str:
    return _select(writer, _test(writer, "slt", a, "0"), _negative(writer, a), a)


@_emitter("sign")
def _sign(writer: Any, a: str) -> str:
    below = _select(writer, _test(writer, "slt", a, "0"), "-1", "0")
    return _select(writer, _test(writer, "sgt", a, "0"), "1", below)


@_emitter("maximum", "fmax")
def _maximum(writer: Any, a: str, b: str) -> str:
    return _select(writer, _test(writer, "sgt", a, b), a, b)


@_emitter("minimum", "fmin")
def _minimum(writer: Any, a: str, b: str) -> str:
    return _select(writer, _test(writer, "slt", a, b), a, b)


def _divided(writer: Any, word: str, a: str, b: str, by_minus_one: str) -> str:
    """A quotient or remainder, rounded towards 0; divisors that processors trap on are taken apart."""
    zero, minus_one = _test(writer, "eq", b, "0"), _test(writer, "eq", b, "-1")
    special = writer.op(f"or i1 {zero}, {minus_one}")
    result = writer.op(f"{word} i64 {a}, {_select(writer, special, '1', b)}")
    return _select(writer, zero, "0", _select(writer, minus_one, by_minus_one, result))


@_emitter("fmod")
def _fmod(writer: Any, a: str, b: str) -> str:
    return _divided(writer, "srem", a, b, "0")


def _rounded_up(writer: Any, rest: str, b: str) -> str:
    """Whether division towards 0 was upwards: there is a rest whose sign is not the divisor's."""
    differ = _test(writer, "slt", writer.op(f"xor i64 {rest}, {b}"), "0")
    return writer.op(f"and i1 {differ}, {_test(writer, 'ne', rest, '0')}")


@_emitter("remainder")
def _remainder(writer: Any, a: str, b: str) -> str:
    rest = _fmod(writer, a, b)
    return _select(writer, _rounded_up(writer, rest, b), writer.op(f"add i64 {rest}, {b}"), rest)


@_emitter("floor_divide")
def _floor_divide(writer: Any, a: str, b: str) -> str:
    quotient = _divided(writer, "sdiv", a, b, _negative(writer, a))
    up = _rounded_up(writer, _fmod(writer, a, b), b)
    return _select(writer, up, writer.op(f"sub i64 {quotient}, 1"), quotient)


@_emitter("reciprocal")
def _reciprocal(writer: Any, a: str) -> str:
    return _divided(writer, "sdiv", "1", a, "-1")


@_emitter("power")
def _power(writer: Any, base: str, exponent: str) -> str:
    """By squares, bit by bit of the exponent."""
    places = [f"%{writer.fresh('power')}" for _ in range(3)]
    writer.entry.extend(f"  {place} = alloca i64" for place in places)
    negative = _test(writer, "slt", exponent, "0")
    for place, start in zip(places, (_select(writer, negative, "0", "1"), base, exponent), strict=True):
        writer.say(f"store i64 {start}, ptr {place}")

    def bit(_: str) -> None:
        result, power, rest = (writer.op(f"load i64, ptr {place}") for place in places)
        odd = writer.op(f"trunc i64 {rest} to i1")
        result = _select(writer, odd, writer.op(f"mul i64 {result}, {power}"), result)
        power, rest = writer.op(f"mul i64 {power}, {power}"), writer.op(f"lshr i64 {rest}, 1")
        for place, value in zip(places, (result, power, rest), strict=True):
            writer.say(f"store i64 {value}, ptr {place}")

    writer.loop(63, bit)
    return writer.op(f"load i64, ptr {places[0]}")
