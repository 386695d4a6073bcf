"""What kernels cannot do is refused with the file, the line, the construct and what to write instead."""

import importlib.util
import itertools

import numpy as np
import pytest

from bayesad.ad.backends.llvm.kernel import FAST_MATH, Float, KernelError, compile_kernel

HEADER = (
    "import math\n"
    "import numpy as np\n"
    "from bayesad.ad.backends.llvm.kernel import *\n"
    "TABLE = (1.0, 2.0)\n"
    "MIXED = (1, 2.0)\n"
    "TEXT = 'text'\n"
    "def plain(x):\n"
    "    return x\n"
    "def nothing(x: Float) -> None:\n"
    "    return\n"
)
FIRST_LINE = HEADER.count("\n") + 1
PARAMETERS = "x: Float, n: Int, flag: Bool, w: Word, a: Floats, k: Ints, s: Words, log_density: LogDensity"
counter = itertools.count()


@pytest.fixture
def define(tmp_path):
    """Makes a module of a kernel's source, and gives the kernel `f` and its file."""

    def make(source):
        file = tmp_path / f"kernels_{next(counter)}.py"
        file.write_text(HEADER + source)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.f, file

    return make


def refusal(function):
    with pytest.raises(KernelError) as caught:
        compile_kernel(function)
    return str(caught.value)


STATEMENTS = {
    # Lanes
    "y = spread(x)\ny += x": (2, "'y' is changed in place, which uncompiled changes other names"),
    "y = spread(x) * n": (1, "'*' between Lanes and Int is not possible; it takes two Floats"),
    "y = lanes(k, 0)": (1, "the first argument of lanes is Floats and cannot take an Ints"),
    "y = lanes(a, x)": (1, "the second argument of lanes is Int and cannot take a Float"),
    "put(a, 0, x)": (1, "the third argument of put is Lanes and cannot take a Float"),
    "y = total(x)": (1, "the argument of total is Lanes and cannot take a Float"),
    "y = total(put(a, 0, spread(x)))": (1, "put returns None, which has no use here"),
    "flag = spread(x) > 0.0": (1, "'>' between Lanes and Lanes is not possible"),
    # Types
    "y = 0.0\ny = 1": (2, "variable 'y' is Float and cannot take an Int 1; write 1.0"),
    "y = 0.0\ny = n": (2, "variable 'y' is Float and cannot take an Int; write float(...)"),
    "y = 0\ny = x": (2, "variable 'y' is Int and cannot take a Float; write int(...)"),
    "y = 0\ny += 0.5": (2, "variable 'y' is Int and cannot take a Float; write int(...)"),
    "n /= 2": (1, "'/' between Int and Int is not possible; it takes two Floats"),
    "flag = n": (1, "variable 'flag' is Bool and cannot take an Int; compare it"),
    "w = n": (1, "variable 'w' is Word and cannot take an Int; write word(...)"),
    "w = -1": (1, "variable 'w' is Word, from 0 to 18446744073709551615, and cannot take -1"),
    "n = 9223372036854775808": (1, "variable 'n' is Int, from"),
    "y = 18446744073709551616": (1, "and cannot take 18446744073709551616"),
    "a[0] = 1": (1, "a[0] is Float and cannot take an Int 1; write 1.0"),
    "k[0] = x": (1, "k[0] is Int and cannot take a Float; write int(...)"),
    "a = k": (1, "variable 'a' is Floats and cannot take an Ints"),
    "x = n if flag else 0.0": (1, "the values are Float and Int; give all of them one type"),
    "x = max(x, 0)": (1, "the values are Float and Int; give all of them one type"),
    "flag = x < n": (1, "a Float is compared with an Int; write float(...) around the Int"),
    "n = n / 2 * 3": (1, "'/' between Int and Int is not possible"),
    "flag = flag + 1": (1, "'+' between Bool and Int is not possible"),
    "x = x & 1.0": (1, "'&' between Float and Float is not possible; it takes two Ints or two Words or two Bools"),
    "x = n ** n": (1, "an Int to a power that is no constant"),
    "n = n << x": (1, "a shift by a Float; shift by an Int"),
    "n = ~x": (1, "'~' of a Float is not possible"),
    "if n:\n    x = 1.0": (1, "n is Int where a Bool is needed; compare it, as in '!= 0'"),
    "while x and flag:\n    x = 1.0": (1, "x is Float where a Bool is needed"),
    "x = a": (1, "variable 'x' is Float and cannot take a Floats"),
    "x = a + 1.0": (1, "'+' between Floats and Float is not possible"),
    "x = float(a)": (1, "a Floats stands where a number is needed"),
    "n = int(a)": (1, "int of a Floats is not possible"),
    # Words
    "w = w + w": (1, "the value for variable 'w' is arithmetic on Words"),
    "v = w * w": (1, "the value for variable 'v' is arithmetic on Words"),
    "w += 1": (1, "write word(...) around it"),
    "w = (w + 1) | w": (1, "the value for variable 'w' is arithmetic on Words"),
    "w = (w + 1) & (w * w)": (1, "the value for variable 'w' is arithmetic on Words"),
    "w = w ^ -1": (1, "the value for variable 'w' is arithmetic on Words"),
    "w = (w + 1) >> 3": (1, "an operand of '>>' is arithmetic on Words"),
    "flag = w << 1 < w": (1, "an operand of '<' is arithmetic on Words"),
    "x = float(w + w)": (1, "the argument is arithmetic on Words"),
    "n = int(w - 1)": (1, "the argument is arithmetic on Words"),
    "s[0] = ~w": (1, "the value for s[0] is arithmetic on Words"),
    "w = word(w << (w + w))": (1, "the shift is arithmetic on Words"),
    "w = max(w, w + 1)": (1, "Word without word(...)"),
    "w = s[0]": (1, "a read of Words is no Word uncompiled; write word(s[0])"),
    "s[n] += 1": (1, "s[n] is changed in place, but a read of Words is no Word uncompiled; use word(s[n])"),
    "w = word(w + n)": (1, "'+' between Word and Int is not possible; write word(...) around the Int"),
    "w = word(x)": (1, "word of a Float is not possible; write word(int(...))"),
    # Names and constants
    "x = y": (1, "the name 'y' is not known"),
    "if flag:\n    x = y\ny = 1.0": (2, "'y' is read before its first assignment"),
    "y += 1.0": (1, "'y' is read before its first assignment"),
    "x = TABLE": (1, "'TABLE' is a tuple; a module-level constant is an int, a float, or a tuple"),
    "x = TEXT": (1, "'TEXT' is a str"),
    "x = math.nonsense": (1, "'math.nonsense' is not known"),
    "x = a.sum": (1, "'a.sum' is not possible: a kernel's variables have no attributes"),
    "x = 'text'": (1, "'text' is not possible in a kernel; allowed constants are int, float, True and False"),
    "x = 1j": (1, "1j is not possible"),
    "x = None": (1, "None is not possible"),
    "x = 1.0 / 0.0": (1, "this constant cannot be computed: "),
    "x = math.log(0.0)": (1, "this constant cannot be computed: "),
    # Arrays
    "x = a[-1]": (1, "the index -1 counts from an end that kernels do not know"),
    "x = a[x]": (1, "an index is Int and cannot take a Float"),
    "b = a[:3]": (1, "the slice a[:3] is not possible in a kernel; the only one is a[k:]"),
    "b = a[1:3]": (1, "the only one is a[k:]"),
    "b = a[::2]": (1, "the only one is a[k:]"),
    "a[1:] = a": (1, "a[1:] cannot be assigned to; write the loop"),
    "x = x[0]": (1, "x is Float; only Floats, Ints, Words and tables are indexed"),
    "x = a[0, 0]": (1, "(0, 0) is not possible"),
    "TABLE[0] = 1.0": (1, "tables are constant"),
    "x = TABLE[2]": (1, "the index 2 is beyond the 2 entries of 'TABLE'"),
    "x = MIXED[n]": (1, "'MIXED' is no table; it has to be a tuple of floats only, or of ints only"),
    "a.x = 1.0": (1, "a.x cannot be assigned to"),
    "b = [x, x]": (1, "[x, x] is not possible in a kernel; allowed are numbers, names"),
    "b = np.zeros(3)": (1, "np.zeros cannot be called in a kernel"),
    # Calls
    "x = np.exp(x)": (1, "np.exp cannot be called in a kernel"),
    "x = math.gamma(x)": (1, "math.gamma cannot be called in a kernel"),
    "x = math.exp(x, x)": (1, "math.exp(x, x) has 2 arguments; math.exp takes 1"),
    "x = min(x)": (1, "min(x) has 1 arguments; min takes 2"),
    "x = plain(x)": (1, "plain is called but cannot be compiled: "),
    "x = nothing(x)": (1, "nothing returns None, which has no use here"),
    "nothing(n)": (1, "argument 'x' of nothing is Float and cannot take an Int; write float(...)"),
    "nothing(x, x)": (1, "nothing takes 1 arguments, not 2"),
    "nothing(x=x)": (1, "the call of nothing has keyword or starred arguments; pass them by position"),
    "nothing(*a)": (1, "keyword or starred arguments"),
    "log_density(a)": (1, "log_density takes 2 arguments, not 1"),
    "log_density(a, k)": (1, "argument 'gradient' of log_density is Floats and cannot take an Ints"),
    "x(a, a)": (1, "x is Float; of a kernel's variables only a LogDensity is called"),
    "a.sum()": (1, "'a.sum' is not possible: a kernel's variables have no attributes"),
    "y = range(3)": (1, "range cannot be called"),
    "print(x)": (1, "print cannot be called"),
    # Statements
    "pass": (1, "'pass' is not possible in a kernel; allowed are assignments, for i in range(...)"),
    "import math": (1, "'import math' is not possible"),
    "assert flag": (1, "'assert flag' is not possible"),
    "raise ValueError": (1, "'raise ValueError' is not possible"),
    "with flag:\n    x = 1.0": (1, "'with flag:' is not possible"),
    "try:\n    x = 1.0\nfinally:\n    x = 2.0": (1, "'try:' is not possible"),
    "y: Float = 1.0": (1, "'y: Float = 1.0' is not possible"),
    "global y": (1, "'global y' is not possible"),
    "x": (1, "x computes a value that is not used"),
    "x = y = 1.0": (1, "'x = y = 1.0' has several targets; assign them one by one"),
    "x, n = a": (1, "does not assign as many expressions as it has targets"),
    "for x, y in a:\n    x = 1.0": (1, "has no plain loop variable"),
    "for i in a:\n    x = 1.0": (1, "'for i in a:' does not loop over a range; write 'for i in range(...)'"),
    "for i in range(x):\n    x = 1.0": (1, "an argument of range is Int and cannot take a Float"),
    "for i in range(0, 9, 0):\n    x = 1.0": (1, "the step of range is 0"),
    "for x in range(9):\n    n = 1": (1, "variable 'x' is Float and cannot take an Int"),
    "for i in range(n):\n    x = 1.0\nelse:\n    x = 2.0": (1, "'else' after a loop is not possible"),
    "while flag:\n    x = 1.0\nelse:\n    x = 2.0": (1, "'else' after a loop is not possible"),
    "while True:\n    x = 1.0\nn = 1": (3, "'n = 1' is never reached; remove it"),
    "while flag:\n    break\n    x = 1.0": (3, "'x = 1.0' is never reached; remove it"),
    "return n": (1, "the result is Float and cannot take an Int; write float(...)"),
    "return 0": (1, "the result is Float and cannot take an Int 0; write 0.0"),
    "return": (1, "nothing is returned, but the kernel is annotated '-> Float'"),
    # Expressions
    "x = (lambda: 1.0)()": (1, "lambda"),
    "x = (y := 1.0)": (1, "(y := 1.0) is not possible in a kernel"),
    "flag = n in k": (1, "'in' and 'is' are not possible"),
    "flag = n is n": (1, "'in' and 'is' are not possible"),
    "x = a @ a": (1, "'@' is not possible in a kernel; write the loop"),
    "x = x + (1.0\n    + y)": (2, "the name 'y' is not known"),
}


@pytest.mark.parametrize("statements", STATEMENTS, ids=lambda text: text.replace("\n", "; "))
def test_refused_statements(define, statements):
    line, message = STATEMENTS[statements]
    body = "".join(f"    {text}\n" for text in statements.splitlines())
    function, file = define(f"def f({PARAMETERS}) -> Float:\n{body}    return x\n")
    text = refusal(function)
    assert text.startswith(f"{file}:{FIRST_LINE + line}: kernel 'f': ")
    assert message in text


DEFINITIONS = {
    "def f(x) -> Float:\n    return x\n": "parameter 'x' has no annotation; annotate it with Float, Int, Bool",
    "def f(x: Float):\n    return x\n": "the result has no annotation",
    "def f(x: float) -> Float:\n    return x\n": "parameter 'x' is annotated float; annotate it with Float",
    "def f(x: [1]) -> Float:\n    return x\n": "parameter 'x' is annotated [1]",
    "def f(x: None) -> Float:\n    return x\n": "parameter 'x' is annotated None",
    "def f(x: 'Nonsense') -> Float:\n    return x\n": "its annotations cannot be evaluated",
    "def f(a: Floats) -> Floats:\n    return a\n": "returns Floats; return a Float, Int, Bool, Word or None",
    "def f(x: Float = 1.0) -> Float:\n    return x\n": "has defaults, keyword-only or variadic parameters",
    "def f(*x: Float) -> Float:\n    return 1.0\n": "has defaults, keyword-only or variadic parameters",
    "def f(*, x: Float) -> Float:\n    return x\n": "has defaults, keyword-only or variadic parameters",
    "def g(y):\n    def f(x: Float) -> Float:\n        return x * y\n    return f\nf = g(1.0)\n": "closes over 'y'",
    "def f(x: Float) -> Float:\n    if x < 1.0:\n        return x\n": "its end can be reached without a return of F",
    "def f(x: Float) -> None:\n    return x\n": "a value is returned, but the kernel is annotated '-> None'",
    "def f(x: Float) -> Float:\n    def g(y: Float) -> Float:\n        return y\n    return x\n": "'def g(y: Float)",
}  # fmt: skip


@pytest.mark.parametrize("source", DEFINITIONS, ids=lambda text: text.replace("\n", "; "))
def test_refused_definitions(define, source):
    function, file = define(source)
    text = refusal(function)
    assert text.startswith(f"{file}:")
    assert "kernel 'f'" in text and DEFINITIONS[source] in text


def test_errors_in_a_called_kernel_name_that_kernel(define):
    function, file = define(
        "def g(x: Float) -> Float:\n    y = x\n    return [y]\ndef f(x: Float) -> Float:\n    return g(x)\n"
    )
    assert refusal(function).startswith(f"{file}:{FIRST_LINE + 2}: kernel 'g': [y] is not possible")


def test_string_annotations_are_understood(define, tmp_path):
    function, _ = define("def f(x: 'Float', n: 'Int') -> 'Float':\n    return x * n\n")
    assert compile_kernel(function)(1.5, 4) == 6.0


def test_a_source_changed_after_its_import_is_noticed(define):
    function, file = define("def f(x: Float) -> Float:\n    return x + 17.25\n")
    file.write_text(file.read_text().replace("17.25", "18.25"))
    text = refusal(function)
    assert f"{file}:{FIRST_LINE}: kernel 'f'" in text and "has changed since it was imported" in text


def test_functions_without_source_are_refused():
    namespace = {"Float": Float}
    exec("def f(x: Float) -> Float:\n    return x - 123.5\n", namespace)
    assert "its source is not in <string>" in refusal(namespace["f"])


@pytest.mark.parametrize("thing", [np.exp, abs, 3, type])
def test_only_functions_are_kernels(thing):
    assert "a kernel is a function made by 'def'" in refusal(thing)


def test_unknown_flags_list_the_known_ones(define):
    function, _ = define("def f(x: Float) -> Float:\n    return x\n")
    with pytest.raises(KernelError, match="reassoc, contract, nsz, arcp"):
        compile_kernel(function, fast_math=(*FAST_MATH, "ninf"))
