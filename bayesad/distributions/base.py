"""Distribution: what all laws share; a law adds its parameters, its support and a few formulas."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import Any, ClassVar, NoReturn, dataclass_transform

import numpy as np

from bayesad import ad
from bayesad.distributions.domains import Domain, as_float, shown
from bayesad.distributions.numerics import safe_log
from bayesad.distributions.supports import Support, excludes, interior
from bayesad.errors import DistributionError

__all__ = ["Distribution", "Shape", "derived"]

Shape = tuple[int, ...]


class derived:
    """A property that is computed once, when first asked for.

    As functools.cached_property, but its frame belongs to bayesad, so that operations traced in it are still
    attributed to the user's line.
    """

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, law: Any, owner: type) -> Any:
        if law is None:
            return self
        value = law.__dict__[self._name] = self._compute(law)
        return value


@dataclass_transform(frozen_default=True, eq_default=False)
class Distribution(ABC):
    """A probability law with fixed or traced parameters; immutable.

    A subclass declares its parameters as annotations, with their domains (`domains.py`), and defines

    - ``support``: a class attribute, or a property where it depends on parameters;
    - ``_log_density(x)``: the log density at values inside the support, one number per event;
    - ``_draw(rng, shape)``: random values of the given full shape;
    - ``_cdf(x)`` if it has a closed form, and then ``_sf``, ``_log_cdf``, ``_log_sf`` where the default
      (from ``_cdf``) would lose the tail; they see values strictly between the bounds of the support;
    - ``_icdf(p)`` if the quantile has a closed form (else `icdf` searches), and ``_mean()``;
    - ``event_shape`` if one value is a vector or a matrix.

    Everything is plain NumPy and scipy.special and works on traced arrays. Parameters broadcast as in NumPy.
    All normalising constants are included.

    Raises
    ------
    TypeError
        For missing or unknown arguments; the message shows the signature.
    DistributionError
        If a constant parameter is outside its domain or the shapes do not broadcast.
    """

    integrates_missing: ClassVar[bool] = False  # whether NaN in a value means "not observed" and is integrated out
    factorises: ClassVar[bool] = False  # whether it is a `Series`, with a density for each time given the past
    _domains: ClassVar[dict[str, Domain]] = {}
    _signature: ClassVar[inspect.Signature] = inspect.Signature()

    def __init_subclass__(cls) -> None:
        dataclass(init=False, eq=False, repr=False)(cls)  # frozen below: a dataclass would write code for each law
        cls._domains = {
            f.name: extra
            for f in fields(cls)  # type: ignore[arg-type]
            for extra in getattr(f.type, "__metadata__", ())
            if isinstance(extra, Domain)
        }
        cls._signature = cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    f.name,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=inspect.Parameter.empty if f.default is MISSING else f.default,
                )
                for f in fields(cls)  # type: ignore[arg-type]
            ]
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        law, own = self._name, self.__dict__
        for name, value in self._bound(args, kwargs).items():
            domain = self._domains.get(name)
            own[name] = value if domain is None else domain.convert(law, name, value)
        self.batch_shape  # noqa: B018  (computed now, so that shapes that do not broadcast are told at once)
        self._validate()

    @classmethod
    def _bound(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        """The parameters by name; where each is given by place nothing need be looked up."""
        names = cls._signature.parameters
        if len(args) == len(names) and not kwargs:
            return dict(zip(names, args, strict=True))
        try:
            bound = cls._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}{cls._signature}: {error}") from None
        bound.apply_defaults()
        return bound.arguments

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to {name!r}: a distribution is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete {name!r}: a distribution is immutable")

    def _validate(self) -> None:  # noqa: B027  (most laws have nothing to check beyond the domains)
        """Check parameters against each other; raises DistributionError."""

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={shown(value)}" for name, value in self.parameters.items() if value is not None)
        return f"{self._name}({listed})"

    # --- what a law defines

    @property
    @abstractmethod
    def support(self) -> Support:
        """The set of values that have positive density."""

    @abstractmethod
    def _log_density(self, x: Any) -> Any:
        """The log density at values inside the support, shape: batch shape broadcast with that of x."""

    @abstractmethod
    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Random values of full shape `shape`."""

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        """Shape of one value: () for numbers; None stands for a length that the value decides."""
        return ()

    def _cdf(self, x: Any) -> Any:
        """P(X <= x)."""
        raise DistributionError(f"{self._name} has no cumulative distribution function.")

    def _sf(self, x: Any) -> Any:
        """P(X > x)."""
        return 1.0 - self._cdf(x)

    def _log_cdf(self, x: Any) -> Any:
        return safe_log(self._cdf(x))

    def _log_sf(self, x: Any) -> Any:
        return safe_log(self._sf(x))

    def _icdf(self, p: Any) -> Any:
        """The quantile of p strictly between 0 and 1; this one by bisection, for plain arrays."""
        if ad.is_traced(p) or any(map(ad.is_traced, self.flat_parameters)):
            raise DistributionError(
                f"{self._name}: the quantile has no closed form, so it cannot be differentiated; it is there for plain "
                "numbers only."
            )
        from bayesad.distributions.inversion import least

        support, shape = self.support, np.broadcast_shapes(self.batch_shape, np.shape(p))
        low = np.broadcast_to(-np.inf if support.lower is None else support.lower, shape)
        high = np.broadcast_to(np.inf if support.upper is None else support.upper, shape)
        return least(lambda x: self.cdf(x) >= p, low, high)

    def _mean(self) -> Any:
        """The expected value."""
        raise DistributionError(f"{self._name} has no closed form of its mean.")

    # --- what a law offers

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name."""
        return {name: getattr(self, name) for name in self._signature.parameters}

    @derived
    def batch_shape(self) -> Shape:
        """The common shape of the parameters, event axes left out."""
        shapes = self._batch_shapes()
        different = {shape for shape in shapes.values() if shape}
        if len(different) < 2:
            return different.pop() if different else ()
        try:
            return np.broadcast_shapes(*shapes.values())
        except ValueError:
            given = ", ".join(f"{name} has shape {_whole_shape(getattr(self, name))}" for name in shapes)
            raise DistributionError(f"{self._name}: the parameters do not broadcast: {given}.") from None

    @property
    def event_ndim(self) -> int:
        """Number of axes of one value."""
        return len(self.event_shape)

    @property
    def has_atoms(self) -> bool:
        """Whether single real numbers have a probability (as censored values do) besides those with a density."""
        return False

    @property
    def has_cdf(self) -> bool:
        """Whether `cdf` and its relatives exist."""
        return type(self)._cdf is not Distribution._cdf

    @property
    @np.errstate(all="ignore")
    def mean(self) -> Any:
        """The expected value, shape (*batch_shape, *event_shape): inf or NaN where there is none.

        Raises
        ------
        DistributionError
            If it has no closed form.
        """
        event = [n for n in self.event_shape if n is not None]
        return np.broadcast_to(self._mean(), (*self.batch_shape, *event))

    @np.errstate(all="ignore")
    def log_prob(self, x: Any) -> Any:
        """The log density, -inf (with gradient 0) outside the support; NaN where a real x is NaN.

        Parameters
        ----------
        x : array or traced array, shape (..., *event_shape)
            Broadcasts against the batch shape. Whole numbers may be given as floats.

        Returns
        -------
        array or traced array
            Shape: the batch shape broadcast with the leading axes of x.

        Raises
        ------
        DistributionError
            If the shapes do not broadcast.
        """
        x = self._value(x)
        if self.support.kind == "real" and not self.support.bounded:
            return self._log_density(x)
        outside = excludes(self.support, x)
        if not ad.is_traced(outside) and not outside.any():
            return self._log_density(x)
        value = interior(self.support, x, outside)
        if self.event_ndim > self.support.event_ndim:  # a vector law on numbers with bounds
            outside = outside.any(axis=tuple(range(self.support.event_ndim - self.event_ndim, 0)))
        return np.where(outside, -np.inf, self._log_density(value))

    @np.errstate(all="ignore")
    def log_density(self, x: Any) -> Any:
        """As `log_prob`, for values known to lie in the support: not checked, any number may come back outside."""
        return self._log_density(self._value(x))

    def sample(self, rng: np.random.Generator, shape: int | Shape = ()) -> np.ndarray:
        """Independent draws.

        Parameters
        ----------
        rng : numpy.random.Generator
        shape : int or tuple of int
            Put before the batch shape.

        Returns
        -------
        float64 or (whole numbers) int64 array, shape (*shape, *batch_shape, *event_shape)

        Raises
        ------
        DistributionError
            If the law is improper, the length of its event is left to the value (use `draw`), or rng is no generator.
        """
        if not isinstance(rng, np.random.Generator):
            raise DistributionError(
                f"{self._name}: draws need a random generator, such as np.random.default_rng(1); got {rng!r}."
            )
        leading = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)
        full = (*leading, *self.batch_shape, *self.event_shape)
        if None in full:
            raise DistributionError(f"{self._name} does not know how long its values are; give their shape to draw.")
        return self.draw(rng, full)

    @np.errstate(all="ignore")
    def draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Independent draws that fill an array of the given full shape (batch part, then event shape).

        Real numbers that round to a bound of the support or to infinity become the nearest float inside, so that
        every draw has an unconstrained counterpart.

        Raises
        ------
        DistributionError
            If the batch shape does not broadcast to the batch part of `shape`.
        """
        self._fit(shape, "draw a value", exactly=True)
        x, support = self._draw(rng, tuple(shape)), self.support
        if support.kind != "real" or self.has_atoms:
            return x
        lower = -np.inf if support.lower is None else support.lower
        upper = np.inf if support.upper is None else support.upper
        return np.clip(x, np.nextafter(lower, np.inf), np.nextafter(upper, -np.inf))

    def cdf(self, x: Any) -> Any:
        """P(X <= x), for laws of single numbers that have it in closed form; broadcasts as `log_prob`.

        Raises
        ------
        DistributionError
            If the law has none.
        """
        return self._distribution_function(self._cdf, x, below=0.0, above=1.0)

    def sf(self, x: Any) -> Any:
        """P(X > x), accurate in the upper tail."""
        return self._distribution_function(self._sf, x, below=1.0, above=0.0)

    def log_cdf(self, x: Any) -> Any:
        """log P(X <= x), accurate in the lower tail."""
        return self._distribution_function(self._log_cdf, x, below=-np.inf, above=0.0)

    def log_sf(self, x: Any) -> Any:
        """log P(X > x), accurate in the upper tail."""
        return self._distribution_function(self._log_sf, x, below=0.0, above=-np.inf)

    @np.errstate(all="ignore")
    def icdf(self, p: Any) -> Any:
        """The quantile: the least x with P(X <= x) >= p; NaN where p is not between 0 and 1.

        Parameters
        ----------
        p : array or traced array
            Broadcasts against the batch shape. Traced arrays (or parameters) need a law that has its quantile in
            closed form.

        Raises
        ------
        DistributionError
            If the law has no cdf, or the quantile is asked for in a trace and has no closed form.
        """
        if not self.has_cdf:
            self._cdf(p)  # raises
        p, support = self._value(p), self.support
        inside = (p > 0.0) & (p < 1.0)
        lower = -np.inf if support.lower is None else support.lower
        upper = np.inf if support.upper is None else support.upper
        end = np.where(p == 0.0, lower, np.where(p == 1.0, upper, np.nan))
        return np.where(inside, self._icdf(np.where(inside, p, 0.5)), end)

    # --- shared work

    @property
    def flat_parameters(self) -> Iterator[Any]:
        """The parameters that are no laws, with those of the laws among the parameters."""
        for value in self.parameters.values():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Distribution):
                    yield from part.flat_parameters
                elif part is None or isinstance(part, np.ndarray) or ad.is_traced(part):
                    yield part

    @np.errstate(all="ignore")
    def _distribution_function(self, f: Callable[[Any], Any], x: Any, below: float, above: float) -> Any:
        x, support = self._value(x), self.support
        if support.discrete:
            x = np.floor(x)
        lower = -np.inf if support.lower is None else support.lower
        upper = np.inf if support.upper is None else support.upper
        under = x < lower if support.discrete or self.has_atoms else x <= lower
        over = x >= upper
        beyond = under | over
        if not ad.is_traced(beyond) and not beyond.any():
            return f(x)
        return np.where(under, below, np.where(over, above, f(interior(support, x, beyond))))

    def _value(self, x: Any) -> Any:
        """x as an array whose shape fits."""
        x = as_float(x)
        self._fit(x.shape, "evaluate a value", exactly=False)
        return x

    def _fit(self, shape: Shape, purpose: str, exactly: bool) -> None:
        """Raise DistributionError unless `shape` broadcasts (exactly: is broadcast to) and ends in the event shape."""
        wanted = self.event_shape
        split = max(len(shape) - len(wanted), 0)
        leading, event = tuple(shape[:split]), tuple(shape[split:])
        if _broadcasts(self.batch_shape, leading, exactly) and _matches(event, wanted):
            return
        event_part = f" and event shape {self.event_shape}" if self.event_shape else ""
        raise DistributionError(
            f"{self._name}: cannot {purpose} of shape {tuple(shape)}; the parameters have batch shape "
            f"{self.batch_shape}{event_part}."
        )

    def _batch_shapes(self) -> dict[str, Shape]:
        """The batch part of each parameter's shape; a law among the parameters counts with its batch shape."""
        shapes: dict[str, Shape] = {}
        for name, value in self.parameters.items():
            if isinstance(value, Distribution):
                shapes[name] = value.batch_shape
            elif name in self._domains and value is not None:
                shape = np.shape(value)
                shapes[name] = shape[: max(len(shape) - self._domains[name].event_ndim, 0)]
        return shapes

    @property
    def _name(self) -> str:
        return type(self).__name__


def _whole_shape(parameter: Any) -> Shape:
    return parameter.batch_shape if isinstance(parameter, Distribution) else np.shape(parameter)


def _broadcasts(batch: Shape, leading: Shape, exactly: bool) -> bool:
    if not batch or batch == leading:
        return True
    try:
        common = np.broadcast_shapes(batch, leading)
    except ValueError:
        return False
    return common == leading or not exactly


def _matches(event: Shape, wanted: tuple[int | None, ...]) -> bool:
    return len(event) == len(wanted) and all(w in (None, n) for n, w in zip(event, wanted, strict=True))
