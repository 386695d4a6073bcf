"""Pharmacokinetics: closed forms against expm of the compartments, doses of any system against the closed forms."""

import numpy as np
import pytest
from scipy.linalg import expm

from bayesad import ad
from bayesad.errors import SolverError
from bayesad.pharmacokinetics import one_compartment, solve_with_doses, two_compartments

TS = np.array([0.5, 1.0, 2.0, 5.0, 12.0, 30.0])
ONE = {"clearance": 3.0, "volume": 20.0}
TWO = {**ONE, "exchange": 4.0, "peripheral_volume": 30.0}
KA = 1.3


def compartments(clearance, volume, exchange=0.0, peripheral_volume=1.0):
    """The matrix of (depot, central, peripheral) amounts."""
    out, across, back = clearance / volume, exchange / volume, exchange / peripheral_volume
    return np.array([[-KA, 0, 0], [KA, -out - across, back], [0, across, -back]])


def exact(t, p, route, dose=100.0, duration=4.0):
    """Central concentration after one dose at 0, by expm of the system with the dose as a further state."""
    a = compartments(**p)
    if route == "oral":
        amount = expm(a * t) @ [dose, 0, 0]
    elif route == "bolus":
        amount = expm(a * t) @ [0, dose, 0]
    else:
        fed = np.zeros((4, 4))
        fed[:3, :3], fed[1, 3] = a, dose / duration
        amount = (expm(fed * min(t, duration)) @ [0, 0, 0, 1])[:3]
        amount = expm(a * max(t - duration, 0)) @ amount
    return amount[1] / p["volume"]


ROUTES = {"bolus": {}, "oral": {"absorption": KA}, "infusion": {"duration": 4.0}}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("f", "p"), [(one_compartment, ONE), (two_compartments, TWO)])
def test_one_dose(f, p, route):
    found = f(TS, 100.0, **p, **ROUTES[route])
    assert np.allclose(found, [exact(t, p, route) for t in TS], rtol=1e-10)
    for name in p:
        slope = ad.jacobian(lambda v, name=name: f(TS, 100.0, **{**p, name: v}, **ROUTES[route]), p[name])
        h = 1e-5 * p[name]
        above, below = ([exact(t, {**p, name: p[name] + s}, route) for t in TS] for s in (h, -h))
        assert np.allclose(slope, (np.array(above) - below) / (2 * h), rtol=1e-6, atol=1e-9)


def test_absorption_as_fast_as_elimination():
    """The limit dose / V * k t exp(-k t), and its derivative by the rate of absorption from both sides."""
    k = ONE["clearance"] / ONE["volume"]

    def f(ka):
        return one_compartment(TS, 100.0, **ONE, absorption=ka)

    assert np.allclose(f(k), 100 / 20 * k * TS * np.exp(-k * TS), rtol=1e-12)
    slopes = [ad.jacobian(f, k * (1 + e)) for e in (-1e-4, 0.0, 1e-4)]
    assert np.allclose(slopes[1], 0.5 * (slopes[0] + slopes[2]), rtol=1e-6)
    difference = (f(k + 1e-5) - f(k - 1e-5)) / 2e-5
    assert np.allclose(slopes[1], difference, rtol=1e-6)


def test_several_doses_and_patients():
    times, doses = np.array([0.0, 8.0, 16.0]), np.array([100.0, 50.0, 80.0])
    found = one_compartment(TS, doses, times, **ONE, absorption=KA)
    parts = [
        np.where(s < TS, [exact(max(t - s, 0), ONE, "oral", d) for t in TS], 0)
        for s, d in zip(times, doses, strict=True)
    ]
    assert np.allclose(found, np.sum(parts, axis=0), rtol=1e-10)
    volumes = np.linspace(10, 20, len(TS))
    own = [one_compartment(t, 100.0, clearance=3.0, volume=v) for t, v in zip(TS, volumes, strict=True)]
    assert np.allclose(one_compartment(TS, 100.0, clearance=3.0, volume=volumes), own, rtol=1e-14)
    assert one_compartment(0.0, 100.0, **ONE) == 0.0


DOSES = {"dose_times": [0.0, 6.0, 12.0], "amounts": np.array([100.0, 50.0, 80.0]), "durations": [0.0, 3.0, 0.0]}


def by_solving(v, ts=TS):
    def rhs(t, y):
        return [-v[0] / v[1] * y[0]]

    amounts = DOSES["amounts"] * v[2]
    solution = solve_with_doses(rhs, [0.0], ts, **{**DOSES, "amounts": amounts}, rtol=1e-10, atol=1e-10)
    return solution[:, 0] / v[1]


def in_closed_form(v):
    p = {"clearance": v[0], "volume": v[1]}
    boluses = one_compartment(TS, v[2] * DOSES["amounts"][[0, 2]], np.array([0.0, 12.0]), **p)
    return boluses + one_compartment(TS, v[2] * DOSES["amounts"][1], 6.0, **p, duration=3.0)


def test_doses_of_a_differential_equation_and_derivatives():
    v = np.array([3.0, 20.0, 0.9])
    assert np.allclose(by_solving(v), in_closed_form(v), rtol=1e-8)
    assert np.allclose(ad.jacobian(by_solving, v), ad.jacobian(in_closed_form, v), rtol=1e-7, atol=1e-9)


def test_times_of_doses_come_before_them_and_errors():
    found = by_solving(np.array([3.0, 20.0, 1.0]), ts=np.array([0.0, 12.0]))
    assert found[0] == 0.0
    assert np.isclose(found[1], in_closed_form(np.array([3.0, 20.0, 1.0]))[TS == 12.0][0], rtol=1e-8)
    with pytest.raises(SolverError, match="ts has to be a vector"):
        solve_with_doses(lambda t, y: -y, [1.0], [2.0, 1.0], **DOSES)
    with pytest.raises(SolverError, match="dose_times has to be data"):
        ad.gradient(lambda s: solve_with_doses(lambda t, y: -y, [1.0], [2.0], dose_times=s, amounts=1.0)[0, 0], 1.0)
    with pytest.raises(SolverError, match="not both"):
        one_compartment(TS, 1.0, **ONE, absorption=1.0, duration=1.0)
