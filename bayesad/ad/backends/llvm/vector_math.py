"""Vector mathematics as LLVM functions that inline into loops: exp, log, log1p and what is made of them.

Branch-free, so that the loop vectoriser turns them into vector code; no flags on their own operations, so
that no rounding is reassociated. exp reduces to |r| <= log(2)/2 and sums the Taylor series; log reduces to
[sqrt(1/2), sqrt(2)) and sums the series of atanh in s = f/(2 + f) (Muller 2016, Elementary Functions, ch. 11).
"""

from __future__ import annotations

import math
import struct

__all__ = ["INLINED", "hexadecimal", "module_text"]

LN2_HIGH = 6.93147180369123816490e-01  # log 2 with the last 32 bits cleared: k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer that stands in the low bits
SHIFT_BITS = 0x4338000000000000
ONE_BITS = 1023 << 52
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD


def hexadecimal(x: float) -> str:
    """A float64 as LLVM text takes it exactly."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


def _horner(lines: list[str], variable: str, coefficients: list[float], prefix: str) -> str:
    """Appends the evaluation of a polynomial, highest coefficient first; returns the name of its value."""
    value = hexadecimal(coefficients[0])
    for i, c in enumerate(coefficients[1:]):
        lines.append(f"  %{prefix}m{i} = fmul contract double {value}, {variable}")
        lines.append(f"  %{prefix}a{i} = fadd contract double %{prefix}m{i}, {hexadecimal(c)}")
        value = f"%{prefix}a{i}"
    return value


def _exp() -> str:
    lines = [
        "define internal double @bayesad.exp(double %x) alwaysinline nounwind readnone {",
        f"  %low = fcmp olt double %x, {hexadecimal(-746.0)}",
        f"  %x1 = select i1 %low, double {hexadecimal(-746.0)}, double %x",
        f"  %high = fcmp ogt double %x1, {hexadecimal(710.0)}",
        f"  %x2 = select i1 %high, double {hexadecimal(710.0)}, double %x1",
        f"  %scaled = fmul double %x2, {hexadecimal(1.0 / math.log(2.0))}",
        f"  %shifted = fadd double %scaled, {hexadecimal(SHIFT)}",
        f"  %k = fsub double %shifted, {hexadecimal(SHIFT)}",
        f"  %kh = fmul double %k, {hexadecimal(LN2_HIGH)}",
        "  %rh = fsub double %x2, %kh",
        f"  %kl = fmul double %k, {hexadecimal(LN2_LOW)}",
        "  %r = fsub double %rh, %kl",
    ]
    series = _horner(lines, "%r", [1.0 / math.factorial(n) for n in range(13, 1, -1)], "p")
    lines += [
        "  %r2 = fmul double %r, %r",
        f"  %tail = fmul double %r2, {series}",
        "  %small = fadd double %r, %tail",
        f"  %e = fadd double %small, {hexadecimal(1.0)}",
        # 2**k in two halves, so that subnormal results come out right
        f"  %half = fmul double %k, {hexadecimal(0.5)}",
        f"  %h1 = fadd double %half, {hexadecimal(SHIFT)}",
        f"  %k1 = fsub double %h1, {hexadecimal(SHIFT)}",
        "  %k2 = fsub double %k, %k1",
        f"  %h2 = fadd double %k2, {hexadecimal(SHIFT)}",
        "  %b1 = bitcast double %h1 to i64",
        "  %b2 = bitcast double %h2 to i64",
        "  %s1 = shl i64 %b1, 52",
        "  %s2 = shl i64 %b2, 52",
        f"  %t1 = add i64 %s1, {ONE_BITS}",
        f"  %t2 = add i64 %s2, {ONE_BITS}",
        "  %f1 = bitcast i64 %t1 to double",
        "  %f2 = bitcast i64 %t2 to double",
        "  %y1 = fmul double %e, %f1",
        "  %y = fmul double %y1, %f2",
        "  ret double %y",
        "}",
    ]
    return "\n".join(lines)


def _log() -> str:
    smallest_normal = 2.2250738585072014e-308
    lines = [
        "define internal double @bayesad.log(double %x) alwaysinline nounwind readnone {",
        f"  %tiny = fcmp olt double %x, {hexadecimal(smallest_normal)}",
        f"  %grown = fmul double %x, {hexadecimal(2.0**54)}",
        "  %xn = select i1 %tiny, double %grown, double %x",
        f"  %lost = select i1 %tiny, double {hexadecimal(-54.0)}, double {hexadecimal(0.0)}",
        "  %bits = bitcast double %xn to i64",
        f"  %above = sub i64 %bits, {SQRT_HALF_BITS}",
        "  %ei = ashr i64 %above, 52",
        "  %es = shl i64 %ei, 52",
        "  %mi = sub i64 %bits, %es",
        "  %m = bitcast i64 %mi to double",
        f"  %eb = add i64 %ei, {SHIFT_BITS}",
        "  %ed = bitcast i64 %eb to double",
        f"  %e0 = fsub double %ed, {hexadecimal(SHIFT)}",
        "  %e = fadd double %e0, %lost",
        f"  %f = fsub double %m, {hexadecimal(1.0)}",
        f"  %d = fadd double %f, {hexadecimal(2.0)}",
        "  %s = fdiv double %f, %d",
        "  %z = fmul double %s, %s",
    ]
    series = _horner(lines, "%z", [2.0 / (2 * n + 1) for n in range(11, 0, -1)], "p")
    lines += [
        f"  %rr = fmul double %z, {series}",
        "  %ff = fmul double %f, %f",
        f"  %h = fmul double %ff, {hexadecimal(0.5)}",
        "  %hr = fadd double %h, %rr",
        "  %shr = fmul double %s, %hr",
        f"  %el = fmul double %e, {hexadecimal(LN2_LOW)}",
        "  %c = fadd double %shr, %el",
        "  %hc = fsub double %h, %c",
        "  %fh = fsub double %f, %hc",
        f"  %eh = fmul double %e, {hexadecimal(LN2_HIGH)}",
        "  %y = fadd double %eh, %fh",
        f"  %isinf = fcmp oeq double %x, {hexadecimal(math.inf)}",
        "  %y1 = select i1 %isinf, double %x, double %y",
        f"  %iszero = fcmp oeq double %x, {hexadecimal(0.0)}",
        f"  %y2 = select i1 %iszero, double {hexadecimal(-math.inf)}, double %y1",
        f"  %isbad = fcmp ult double %x, {hexadecimal(0.0)}",  # negative or NaN
        f"  %y3 = select i1 %isbad, double {hexadecimal(math.nan)}, double %y2",
        "  ret double %y3",
        "}",
    ]
    return "\n".join(lines)


_LOG1P = f"""
define internal double @bayesad.log1p(double %x) alwaysinline nounwind readnone {{
  %u = fadd double %x, {hexadecimal(1.0)}
  %l = call double @bayesad.log(double %u)
  %u1 = fsub double %u, {hexadecimal(1.0)}
  %lost = fsub double %x, %u1
  %c = fdiv double %lost, %u
  %y = fadd double %l, %c
  %finite = fcmp one double %u, {hexadecimal(math.inf)}
  %positive = fcmp ogt double %u, {hexadecimal(0.0)}
  %plain = and i1 %finite, %positive
  %r = select i1 %plain, double %y, double %l
  ret double %r
}}"""

_EXPIT = f"""
define internal double @bayesad.expit(double %x) alwaysinline nounwind readnone {{
  %a = call double @llvm.fabs.f64(double %x)
  %n = fneg double %a
  %e = call double @bayesad.exp(double %n)
  %d = fadd double %e, {hexadecimal(1.0)}
  %negative = fcmp olt double %x, {hexadecimal(0.0)}
  %top = select i1 %negative, double %e, double {hexadecimal(1.0)}
  %y = fdiv double %top, %d
  ret double %y
}}
define internal double @bayesad.log_expit(double %x) alwaysinline nounwind readnone {{
  %a = call double @llvm.fabs.f64(double %x)
  %n = fneg double %a
  %e = call double @bayesad.exp(double %n)
  %l = call double @bayesad.log1p(double %e)
  %negative = fcmp olt double %x, {hexadecimal(0.0)}
  %m = select i1 %negative, double %x, double {hexadecimal(-0.0)}
  %y = fsub double %m, %l
  ret double %y
}}
define internal double @bayesad.logaddexp(double %a, double %b) alwaysinline nounwind readnone {{
  %d = fsub double %a, %b
  %ad = call double @llvm.fabs.f64(double %d)
  %n = fneg double %ad
  %e = call double @bayesad.exp(double %n)
  %l = call double @bayesad.log1p(double %e)
  %first = fcmp ogt double %a, %b
  %m = select i1 %first, double %a, double %b
  %y = fadd double %m, %l
  %same = fcmp oeq double %a, %b
  %twice = fadd double %a, {hexadecimal(math.log(2.0))}
  %r = select i1 %same, double %twice, double %y
  ret double %r
}}"""


INLINED = ("exp", "log", "log1p", "expit", "log_expit", "logaddexp")


def _out_of_line(name: str) -> str:
    """The same function to be called, for straight-line code where copies of it would only cost compile time."""
    arity = 2 if name == "logaddexp" else 1
    parameters = ", ".join(f"double %x{i}" for i in range(arity))
    return (
        f"define internal double @bayesad.called.{name}({parameters}) noinline nounwind readnone {{\n"
        f"  %y = call double @bayesad.{name}({parameters})\n  ret double %y\n}}"
    )


def module_text() -> str:
    """The definitions, to be put before the code that calls them."""
    return "\n".join([_exp(), _log(), _LOG1P, _EXPIT, *map(_out_of_line, INLINED)])
