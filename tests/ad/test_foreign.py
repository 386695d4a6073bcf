"""ad.primitive: C functions by ctypes, routines of SciPy; against the same functions in NumPy."""

import ctypes
import ctypes.util
import dataclasses
import threading

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.special import gamma

from bayesad import ad
from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.lower import lower
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.program import Node, Program
from bayesad.errors import DerivativeError

ROTATE = """
define void @rotate(ptr %x, ptr %angle, ptr %out) {
  %a = load double, ptr %angle
  %c = call double @cos(double %a)
  %s = call double @sin(double %a)
  %x0 = load double, ptr %x
  %p1 = getelementptr double, ptr %x, i64 1
  %x1 = load double, ptr %p1
  %cx = fmul double %c, %x0
  %sy = fmul double %s, %x1
  %sx = fmul double %s, %x0
  %cy = fmul double %c, %x1
  %u = fsub double %cx, %sy
  %v = fadd double %sx, %cy
  store double %u, ptr %out
  %o1 = getelementptr double, ptr %out, i64 1
  store double %v, ptr %o1
  ret void
}
declare double @cos(double)
declare double @sin(double)
"""


def of_libm(name, arity=1):
    f = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    f.argtypes, f.restype = [ctypes.c_double] * arity, ctypes.c_double
    return f


@pytest.fixture(scope="module")
def rotate():
    """A compiled function of arrays: (x, y) turned by an angle."""
    library = jit.build(ROTATE, ["rotate"])
    yield ctypes.CFUNCTYPE(None, *[ctypes.POINTER(ctypes.c_double)] * 3)(library["rotate"])


def rotated(x, angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]])


def machine_code(f, *args):
    program = ad.compile(f).path(*args).program
    return executor(program)([np.asarray(a) for a in args])[0], program


X = np.linspace(0.3, 4.0, 7)


def test_a_c_function_of_numbers_with_its_derivative():
    cbrt = ad.primitive(of_libm("cbrt"), derivatives=[lambda x: 1 / (3 * cbrt(x) ** 2)])

    def f(x):
        return np.sum(cbrt(x) * x)

    assert np.allclose(cbrt(X), np.cbrt(X), rtol=1e-15)
    assert np.allclose(ad.gradient(f, X), 4 / 3 * np.cbrt(X), rtol=1e-12)
    assert np.allclose(ad.hessian(f, X), np.diag(4 / 9 * X ** (-2 / 3)), rtol=1e-12)
    assert np.isclose(machine_code(f, X)[0], f(X), rtol=1e-14)


def test_two_arguments_broadcast_and_differences():
    pow_ = ad.primitive(of_libm("pow", 2), differences=True)
    x, p = X[:, None], np.array([0.5, 2.0])

    def f(v):
        return np.sum(pow_(v["x"], v["p"]))

    found = ad.gradient(f, {"x": x, "p": p})
    expected = ad.gradient(lambda v: np.sum(v["x"] ** v["p"]), {"x": x, "p": p})
    assert np.allclose(found["x"], expected["x"], rtol=1e-8)
    assert np.allclose(found["p"], expected["p"], rtol=1e-8)


def test_machine_code_calls_c_without_python():
    f = ad.primitive(of_libm("tgamma"))
    value, program = machine_code(lambda x: f(x) + 1.0, X)
    assert np.allclose(value, gamma(X) + 1.0, rtol=1e-13)
    assert lower(program).layout.callbacks == []


def test_a_c_function_of_arrays(rotate):
    def vjp(g, y, x, angle):
        turned = rotated(g, -angle)
        return turned, np.sum(g * np.stack([-y[1], y[0]]))

    x, angle = np.array([1.0, -2.0]), 0.7
    by_rule = ad.primitive(rotate, vjp=vjp, shape=(2,))
    by_differences = ad.primitive(rotate, differences=True, shape=(2,))
    expected = ad.jacobian(lambda v: rotated(v[:2], v[2]), np.append(x, angle))
    for turn, bound in ((by_rule, 1e-12), (by_differences, 1e-8)):
        found = ad.jacobian(lambda v, turn=turn: turn(v[:2], v[2]), np.append(x, angle))
        assert np.allclose(turn(x, angle), rotated(x, angle), rtol=1e-14)
        assert np.allclose(found, expected, rtol=bound)
    address = ctypes.cast(rotate, ctypes.c_void_p).value
    given = ad.primitive(address, signature="void(const double*, double*, double*)", shape=(2,))
    assert np.allclose(machine_code(lambda x: given(x, angle), x)[0], rotated(x, angle))


def test_threads_call_a_c_function_at_once():
    """A function that waits until another thread is in it too returns only if neither holds Python's lock."""
    barrier = threading.Barrier(2, timeout=20)
    met = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: float(barrier.wait() >= 0) * x)
    program = ad.compile(ad.primitive(of_libm("sin"))).path(2.0).program
    (node,) = program.nodes
    made = dataclasses.replace(node.primitive, address=ctypes.cast(met, ctypes.c_void_p).value)
    node = Node(made, program.inputs, {}, (), np.dtype(float))
    run = executor(Program(program.inputs, (node,), (node,), "met"))
    results = []
    threads = [threading.Thread(target=lambda: results.append(run([np.array(2.0)])[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2.0, 2.0]


def test_python_code_with_and_without_a_rule():
    knots = np.linspace(0, 5, 9)
    spline = CubicSpline(knots, np.sin(knots))
    ruled = ad.primitive(spline, vjp=lambda g, y, x: g * ad.primitive(spline.derivative())(x))
    assert np.allclose(ad.gradient(lambda x: np.sum(ruled(x)), X), spline(X, 1), rtol=1e-14)
    numeric = ad.primitive(spline, differences=True)
    assert np.allclose(ad.gradient(lambda x: np.sum(numeric(x)), X), spline(X, 1), rtol=1e-7)
    with pytest.raises(DerivativeError, match="no reverse rule"):
        ad.gradient(lambda x: np.sum(ad.primitive(spline)(x)), X)
    plain = ad.primitive(spline, vjp=lambda g, y, x: g * spline(x, 1))
    with pytest.raises(DerivativeError, match=r"the rule of CubicSpline is traced.*ad.primitive\(code\)"):
        ad.gradient(lambda x: np.sum(plain(x)), X)


def test_partial_derivatives_of_python_code():
    power = ad.primitive(lambda x, a: np.asarray(x) ** np.asarray(a), derivatives=[lambda x, a: a * x ** (a - 1), None])
    gradient = ad.gradient(lambda p: np.sum(power(p["x"], p["a"])), {"x": X, "a": 3.0})
    assert np.allclose(gradient["x"], 3.0 * X**2, rtol=1e-14) and gradient["a"] == 0.0
    shared = ad.gradient(lambda x: np.sum(power(x, np.array([1.0, 2.0, 3.0]))), 2.0)
    assert np.isclose(shared, 1.0 + 2.0 * 2.0 + 3.0 * 4.0)
    with pytest.raises(DerivativeError, match="1 derivatives for 2 arguments"):
        ad.gradient(lambda x: np.sum(ad.primitive(np.power, derivatives=[np.cos])(x, 2.0)), X)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ad.primitive(np.sin, vjp=lambda g, y, x: g, differences=True), "one kind of rule"),
        (lambda: ad.primitive("sin"), "a function or the address of one, not 'sin'"),
        (lambda: ad.primitive(of_libm("sin"), derivatives=[np.cos, np.cos]), "2 derivatives for 1 arguments"),
        (lambda: ad.primitive(of_libm("sin"), vjp=lambda g, y, x: g), "takes derivatives="),
        (lambda: ad.primitive(ctypes.CDLL(ctypes.util.find_library("m")).lround), "double.double, .*restype c_int"),
        (lambda: ad.primitive(4096, signature="float(float)"), "needs a signature"),
        (lambda: ad.primitive(4096, signature="void(double*, double*)"), "shape="),
    ],
)
def test_errors(make, message):
    with pytest.raises(DerivativeError, match=message):
        make()
