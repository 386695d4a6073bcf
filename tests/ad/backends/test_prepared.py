"""Programs prepared on disk: what was made once is not made again, and what differs is told apart."""

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm import jit, prepared
from bayesad.ad.backends.llvm.digest import NotPlain, digest, plain, restored
from bayesad.ad.backends.llvm.native import Executor, NativeProgram
from bayesad.ad.primitives import PRIMITIVES
from bayesad.ad.primitives.indexing import Index
from bayesad.ad.primitives.table import Primitive
from bayesad.ad.reverse import reverse
from bayesad.ad.simplify import simplify

RNG = np.random.default_rng(5)
DATA = RNG.normal(size=(400, 3))


SHIFTED = Primitive(
    "shifted",
    lambda x, index, by: x[index.resolve(())] + by,
    lambda x, **_: (x.shape, x.dtype),
    vjp=(lambda g, *_, **__: g,),
)
"""Has no machine code, and attributes."""


def residuals(data):
    """A function with constants of its own, constants that lowering makes of them, and a node left to NumPy."""

    def f(x):
        shifted = bind(SHIFTED, (x,), {"index": Index((("slice", None, None, None),)), "by": 0.5})
        return np.sum((data @ x - np.arange(400.0)) ** 2) + np.sum(shifted)

    return f


def by_hand(data, x):
    return np.sum((data @ x - np.arange(400.0)) ** 2) + np.sum(x + 0.5)


def program_of(f, x):
    return ad.trace(f, x)[0]


def gradient_of(program):
    return simplify(reverse(simplify(program), [0], [np.float64(1.0)]))


def never(*_, **__):
    raise AssertionError("was to be found on disk")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setitem(PRIMITIVES, "shifted", SHIFTED)
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_prepared_program_is_neither_derived_nor_compiled_again(empty_cache, monkeypatch):
    x = RNG.normal(size=3)
    program = program_of(residuals(DATA), x)
    first = NativeProgram(program, "gradient", lambda: gradient_of(program))
    assert [node.primitive.name for node, _, _ in first.layout.callbacks] == ["shifted"]
    own = {id(constant.value) for constant in program.constants}
    assert any(id(constant.node.value) not in own for constant in first.layout.constants)
    monkeypatch.setattr(jit, "compile_object", never)
    again = NativeProgram(program_of(residuals(DATA), x), "gradient", never)
    for y in RNG.normal(size=(3, 3)):
        found, expected = Executor([again])([y])[1], Executor([first])([y])[1]
        np.testing.assert_array_equal(found[1], expected[1])
        assert found[0] == expected[0] == pytest.approx(by_hand(DATA, y), rel=1e-13)


def test_other_data_of_the_same_shape_are_prepared_anew_with_the_same_object_code(empty_cache, monkeypatch):
    x, other = RNG.normal(size=3), RNG.normal(size=(400, 3))
    NativeProgram(program_of(residuals(DATA), x))
    monkeypatch.setattr(jit, "compile_object", never)
    found = Executor([NativeProgram(program_of(residuals(other), x))])([x])[1]
    assert found[0] == pytest.approx(by_hand(other, x), rel=1e-13)


def test_whichever_entry_is_gone_is_made_again(empty_cache):
    x = RNG.normal(size=3)
    program = program_of(residuals(DATA), x)
    NativeProgram(program)
    entries = sorted(empty_cache.iterdir())
    assert len(entries) == 2
    for file in entries:
        file.unlink()
        assert Executor([NativeProgram(program)])([x])[1][0] == pytest.approx(by_hand(DATA, x), rel=1e-13)
        assert sorted(empty_cache.iterdir()) == entries


def test_a_matrix_and_its_transpose_are_one_constant_whether_made_or_read(empty_cache):
    data = RNG.normal(size=(40, 30))

    def f(x):
        return np.sum(np.tanh(data @ np.reshape(x, (30, 4))))

    x = RNG.normal(size=120)
    program = program_of(f, x)
    for _ in range(2):
        native = NativeProgram(program, "gradient", lambda: gradient_of(program))
        assert [constant.shape for constant in native.constants] == [(40, 30)]
        _, (value, gradient) = Executor([native])([x])
        assert value == pytest.approx(f(x), rel=1e-14)
        slopes = data.T @ (1.0 - np.tanh(data @ np.reshape(x, (30, 4))) ** 2)
        np.testing.assert_allclose(gradient, np.ravel(slopes), rtol=1e-12)


def test_more_constants_than_are_worth_it_are_not_kept(empty_cache, monkeypatch):
    x = RNG.normal(size=3)
    for limit in ("MOST_DATA", "MOST_DERIVED_DATA"):
        with monkeypatch.context() as patch:
            patch.setattr(prepared, limit, 100)
            for _ in range(2):
                found = Executor([NativeProgram(program_of(residuals(DATA), x))])([x])[1]
                assert found[0] == pytest.approx(by_hand(DATA, x), rel=1e-13)
    assert len(list(empty_cache.iterdir())) == 1


def test_functions_of_the_user_have_no_digest_and_work(empty_cache):
    f = ad.custom_vjp(lambda x: np.exp(x), vjp=lambda g, y, x: g * y)
    program = program_of(lambda x: np.sum(f(x)), np.ones(3))
    with pytest.raises(NotPlain):
        digest(program, "value")
    for scale in (1.0, 2.0):  # two functions of the same name
        g = ad.custom_vjp(lambda x, scale=scale: scale * np.exp(x), vjp=lambda g, y, x: g * y)
        run = Executor([NativeProgram(program_of(lambda x, g=g: np.sum(g(x)), np.ones(3)))])
        assert run([np.zeros(3)])[1][0] == 3.0 * scale


def variants():
    x = np.ones(4)
    yield "sum", program_of(np.sum, x), "value"
    yield "other wish", program_of(np.sum, x), "gradient"
    yield "operation", program_of(np.prod, x), "value"
    yield "shape", program_of(np.sum, np.ones(5)), "value"
    yield "dtype", program_of(np.sum, np.ones(4, dtype=int)), "value"
    yield "attribute", program_of(lambda x: np.cumsum(x.reshape(2, 2), axis=0), x), "value"
    yield "other attribute", program_of(lambda x: np.cumsum(x.reshape(2, 2), axis=1), x), "value"
    yield "constant", program_of(lambda x: np.sum(x * 2.0), x), "value"
    yield "other constant", program_of(lambda x: np.sum(x * np.nextafter(2.0, 3.0)), x), "value"
    yield "sign of zero", program_of(lambda x: np.sum(x * np.array([0.0, 1.0, 2.0, 3.0])), x), "value"
    yield "other sign of zero", program_of(lambda x: np.sum(x * np.array([-0.0, 1.0, 2.0, 3.0])), x), "value"
    yield "order of operands", program_of(lambda x: x[0] - x[1], x), "value"
    yield "other order of operands", program_of(lambda x: x[1] - x[0], x), "value"
    yield "outputs", program_of(lambda x: [x[0], x[1]], x), "value"
    yield "other outputs", program_of(lambda x: [x[1], x[0]], x), "value"
    yield "guard", program_of(lambda x: x[0] if x[0] > 0 else x[1], x), "value"
    yield "other side", program_of(lambda x: x[0] if not x[0] < 0 else x[1], x), "value"


def test_digests_tell_apart_what_differs_and_nothing_else():
    digests = {name: digest(program, wanted) for name, program, wanted in variants()}
    assert len(set(digests.values())) == len(digests)
    assert {name: digest(program, wanted) for name, program, wanted in variants()} == digests


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -0.5, np.inf, "left", (), (1, (2.0, None), "a"), np.dtype(np.int64), Index((0, None, "array"))],
    ids=repr,
)
def test_attributes_survive_as_plain_values(value):
    again = restored(plain(value))
    assert again == value
    assert type(again) is type(value)


def test_slices_in_an_index_survive():
    index = Index((("slice", 1, None, -1), 2))
    assert restored(plain(index)) == index
    assert restored(plain(index)).resolve(()) == (slice(1, None, -1), 2)
