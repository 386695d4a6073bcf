"""What docs/distributions.md says of each law beyond its docstring: its log density or density, and what to draw.

FORMULAS: name -> LaTeX of the density p(x) (or probability) at x in the support. PICTURES: name -> laws to draw.
"""

from __future__ import annotations

import numpy as np

import bayesad.distributions as laws

FORMULAS = {
    # on the whole line
    "Normal": r"p(x) = \frac{1}{\sqrt{2\pi}\,\sigma} \exp\left(-\frac{(x-\mu)^2}{2\sigma^2}\right)",
    "StudentT": r"p(x) = \frac{\Gamma((\nu+1)/2)}{\Gamma(\nu/2)\sqrt{\nu\pi}\,\sigma} "
    r"\left(1+\frac{(x-\mu)^2}{\nu\sigma^2}\right)^{-(\nu+1)/2}",
    "Cauchy": r"p(x) = \frac{1}{\pi\sigma\left(1+((x-\mu)/\sigma)^2\right)}",
    "Laplace": r"p(x) = \frac{1}{2\sigma} \exp(-|x-\mu|/\sigma)",
    "Logistic": r"p(x) = \frac{e^{-z}}{\sigma(1+e^{-z})^2},\quad z=(x-\mu)/\sigma",
    "Uniform": r"p(x) = \frac{1}{\mathrm{upper}-\mathrm{lower}}",
    "Flat": r"p(x) = 1",
    # leaning to one side
    "SkewNormal": r"p(x) = \frac{2}{\omega}\,\varphi(z)\,\Phi(\alpha z),\quad z=(x-\xi)/\omega",
    "ExpModNormal": r"p(x) = \lambda \exp\left(\lambda(\mu-x)+\tfrac12\lambda^2\sigma^2\right)"
    r"\Phi\left(\frac{x-\mu}{\sigma}-\lambda\sigma\right)",
    "AsymmetricLaplace": r"p(x) = \frac{1}{\sigma(\kappa+1/\kappa)}\, e^{-\kappa z}\ (z\ge 0),\ "
    r"e^{z/\kappa}\ (z<0),\quad z=(x-\mu)/\sigma",
    "SkewDoubleExponential": r"p(x) = \frac{2\tau(1-\tau)}{\sigma}\exp\left(-\frac{2}{\sigma}"
    r"\left[(1-\tau)(\mu-x)_+ + \tau(x-\mu)_+\right]\right)",
    "SkewStudentT": r"p(x) = \frac{2^{1-a-b}}{B(a,b)\sqrt{a+b}\,\sigma}\left(1+\frac{z}{r}\right)^{a+1/2}"
    r"\left(1-\frac{z}{r}\right)^{b+1/2},\quad z=(x-\mu)/\sigma,\ r^2=a+b+z^2",
    "Moyal": r"p(x) = \frac{1}{\sqrt{2\pi}\,\sigma}\exp\left(-\tfrac12(z+e^{-z})\right),\quad z=(x-\mu)/\sigma",
    # positive
    "HalfNormal": r"p(x) = \frac{\sqrt2}{\sqrt\pi\,\sigma}\exp\left(-\frac{x^2}{2\sigma^2}\right)",
    "HalfStudentT": r"p(x) = \frac{2\,\Gamma((\nu+1)/2)}{\Gamma(\nu/2)\sqrt{\nu\pi}\,\sigma}"
    r"\left(1+\frac{x^2}{\nu\sigma^2}\right)^{-(\nu+1)/2}",
    "HalfCauchy": r"p(x) = \frac{2}{\pi\sigma\left(1+(x/\sigma)^2\right)}",
    "LogNormal": r"p(x) = \frac{1}{\sqrt{2\pi}\,\sigma x}\exp\left(-\frac{(\log x-\mu)^2}{2\sigma^2}\right)",
    "Exponential": r"p(x) = \beta e^{-\beta x}",
    "Gamma": r"p(x) = \frac{\beta^\alpha}{\Gamma(\alpha)} x^{\alpha-1} e^{-\beta x}",
    "InverseGamma": r"p(x) = \frac{\beta^\alpha}{\Gamma(\alpha)} x^{-\alpha-1} e^{-\beta/x}",
    "Weibull": r"p(x) = \frac{\alpha}{\sigma}\left(\frac{x}{\sigma}\right)^{\alpha-1}"
    r"\exp\left(-(x/\sigma)^\alpha\right)",
    "ChiSquare": r"p(x) = \frac{2^{-\nu/2}}{\Gamma(\nu/2)} x^{\nu/2-1} e^{-x/2}",
    "InverseChiSquare": r"p(x) = \frac{2^{-\nu/2}}{\Gamma(\nu/2)} x^{-\nu/2-1} e^{-1/(2x)}",
    "ScaledInverseChiSquare": r"p(x) = \frac{(\nu/2)^{\nu/2}}{\Gamma(\nu/2)}\sigma^\nu x^{-\nu/2-1}"
    r"\exp\left(-\frac{\nu\sigma^2}{2x}\right)",
    "Rayleigh": r"p(x) = \frac{x}{\sigma^2}\exp\left(-\frac{x^2}{2\sigma^2}\right)",
    "Rice": r"p(x) = \frac{x}{\sigma^2}\exp\left(-\frac{x^2+\nu^2}{2\sigma^2}\right) I_0(x\nu/\sigma^2)",
    "LogLogistic": r"p(x) = \frac{(\beta/\alpha)(x/\alpha)^{\beta-1}}{\left(1+(x/\alpha)^\beta\right)^2}",
    "InverseGaussian": r"p(x) = \sqrt{\frac{\lambda}{2\pi x^3}}\exp\left(-\frac{\lambda(x-\mu)^2}{2\mu^2x}\right)",
    # extremes
    "Gumbel": r"p(x) = \frac1\beta \exp\left(-z-e^{-z}\right),\quad z=(x-\mu)/\beta",
    "Frechet": r"p(x) = \frac\alpha\sigma\left(\frac x\sigma\right)^{-1-\alpha}\exp\left(-(x/\sigma)^{-\alpha}\right)",
    "GeneralizedExtremeValue": r"p(x) = \frac1\sigma t^{\xi+1}e^{-t},\quad t=\left(1+\xi z\right)^{-1/\xi},\ "
    r"z=(x-\mu)/\sigma",
    "GeneralizedPareto": r"p(x) = \frac1\sigma\left(1+\xi z\right)^{-1/\xi-1},\quad z=(x-\mu)/\sigma",
    "Pareto": r"p(x) = \frac{\alpha\,y_{\min}^\alpha}{x^{\alpha+1}}",
    "ParetoType2": r"p(x) = \frac\alpha\lambda\left(1+\frac{x-\mu}\lambda\right)^{-\alpha-1}",
    # intervals
    "Beta": r"p(x) = \frac{x^{\alpha-1}(1-x)^{\beta-1}}{B(\alpha,\beta)}",
    "BetaProportion": r"p(x) = \frac{x^{\mu\kappa-1}(1-x)^{(1-\mu)\kappa-1}}{B(\mu\kappa,(1-\mu)\kappa)}",
    "Kumaraswamy": r"p(x) = ab\,x^{a-1}(1-x^a)^{b-1}",
    "LogitNormal": r"p(x) = \frac{1}{\sqrt{2\pi}\,\sigma x(1-x)}"
    r"\exp\left(-\frac{(\mathrm{logit}\,x-\mu)^2}{2\sigma^2}\right)",
    "Triangular": r"p(x) = \frac{2}{u-l}\,\frac{x-l}{m-l}\ (x\le m),\ \frac{2}{u-l}\,\frac{u-x}{u-m}\ (x\ge m)",
    "VonMises": r"p(x) = \frac{\exp(\kappa\cos(x-\mu))}{2\pi I_0(\kappa)}",
    "Interpolated": r"p(x) \propto \text{the line through the points around } x",
    # whole numbers
    "Bernoulli": r"p(1) = \theta,\quad p(0) = 1-\theta",
    "BernoulliLogit": r"p(1) = \frac{1}{1+e^{-\alpha}}",
    "Binomial": r"p(x) = \binom nx \theta^x(1-\theta)^{n-x}",
    "BinomialLogit": r"p(x) = \binom nx \theta^x(1-\theta)^{n-x},\quad \theta=\frac{1}{1+e^{-\alpha}}",
    "Poisson": r"p(x) = \frac{\lambda^x e^{-\lambda}}{x!}",
    "PoissonLog": r"p(x) = \frac{e^{\alpha x - e^\alpha}}{x!}",
    "NegativeBinomial2": r"p(x) = \binom{x+\phi-1}{x}\left(\frac{\mu}{\mu+\phi}\right)^x"
    r"\left(\frac{\phi}{\mu+\phi}\right)^\phi",
    "NegativeBinomial2Log": r"\text{as NegativeBinomial2 with } \mu=e^\eta",
    "Categorical": r"p(k) = \theta_k",
    "CategoricalLogit": r"p(k) = \frac{e^{\beta_k}}{\sum_j e^{\beta_j}}",
    "Geometric": r"p(x) = \theta(1-\theta)^{x-1}",
    "NegativeBinomial": r"p(x) = \binom{x+\alpha-1}{x}\left(\frac{\beta}{\beta+1}\right)^\alpha"
    r"\left(\frac{1}{\beta+1}\right)^x",
    "NegativeBinomialP": r"p(x) = \binom{x+n-1}{x}p^n(1-p)^x",
    "BetaBinomial": r"p(x) = \binom nx \frac{B(x+\alpha,n-x+\beta)}{B(\alpha,\beta)}",
    "BetaNegativeBinomial": r"p(x) = \binom{x+r-1}{x}\frac{B(\alpha+r,\beta+x)}{B(\alpha,\beta)}",
    "Hypergeometric": r"p(x) = \binom ax\binom b{N-x}\Big/\binom{a+b}{N}",
    "DiscreteUniform": r"p(x) = \frac{1}{\mathrm{upper}-\mathrm{lower}+1}",
    "Skellam": r"p(x) = e^{-\mu_1-\mu_2}\left(\frac{\mu_1}{\mu_2}\right)^{x/2} I_{|x|}(2\sqrt{\mu_1\mu_2})",
    "DiscreteWeibull": r"p(x) = q^{x^\beta}-q^{(x+1)^\beta}",
    "COMPoisson": r"p(x) = \frac{\lambda^x}{(x!)^\nu}\Big/\sum_k\frac{\lambda^k}{(k!)^\nu}",
    "YuleSimon": r"p(x) = \alpha\,B(x,\alpha+1)",
    "OrderedLogistic": r"p(k) = \sigma(\eta-c_{k-1})-\sigma(\eta-c_k),\quad \sigma(a)=\frac{1}{1+e^{-a}}",
    "OrderedProbit": r"p(k) = \Phi(\eta-c_{k-1})-\Phi(\eta-c_k)",
    "Multinomial": r"p(x) = \frac{n!}{\prod_k x_k!}\prod_k\theta_k^{x_k}",
    "MultinomialLogit": r"\text{as Multinomial with } \theta=\mathrm{softmax}(\gamma)",
    "DirichletMultinomial": r"p(x) = \frac{n!\,\Gamma(\sum_k\alpha_k)}{\Gamma(n+\sum_k\alpha_k)}"
    r"\prod_k\frac{\Gamma(x_k+\alpha_k)}{x_k!\,\Gamma(\alpha_k)}",
    "Wiener": r"p(x) = \frac{\alpha}{\sqrt{2\pi t^3}}\,e^{\delta\alpha(1-\beta)-\delta^2t/2}"
    r"\sum_{k=-\infty}^\infty (1-\beta+2k)\,e^{-\alpha^2(1-\beta+2k)^2/(2t)},\quad t=x-\tau",
    # vectors and matrices
    "Dirichlet": r"p(x) = \frac{\Gamma(\sum_k\alpha_k)}{\prod_k\Gamma(\alpha_k)}\prod_k x_k^{\alpha_k-1}",
    "MvNormal": r"p(x) = (2\pi)^{-K/2}|\Sigma|^{-1/2}\exp\left(-\tfrac12(x-\mu)^\top\Sigma^{-1}(x-\mu)\right)",
    "MvStudentT": r"p(x) = \frac{\Gamma((\nu+K)/2)}{\Gamma(\nu/2)(\nu\pi)^{K/2}}|\Sigma|^{-1/2}"
    r"\left(1+\tfrac1\nu(x-\mu)^\top\Sigma^{-1}(x-\mu)\right)^{-(\nu+K)/2}",
    "LKJCholesky": r"p(L) \propto \prod_{k=2}^K L_{kk}^{K-k+2\eta-2}",
    "LKJ": r"p(R) \propto |R|^{\eta-1}",
    "Wishart": r"p(W) \propto |W|^{(\nu-K-1)/2}\exp\left(-\tfrac12\mathrm{tr}(S^{-1}W)\right)",
    "InverseWishart": r"p(W) \propto |W|^{-(\nu+K+1)/2}\exp\left(-\tfrac12\mathrm{tr}(SW^{-1})\right)",
    # made from other laws
    "truncated": r"p(x) = \frac{p_d(x)}{P_d(\mathrm{lower}\le X\le\mathrm{upper})}",
    "restricted": r"p(x) = p_d(x)\text{, on a smaller support}",
    "ordered": r"p(x) = \prod_k p_d(x_k),\quad x_1<x_2<\dots",
    "censored": r"p(x) = p_d(x)\text{ between the bounds},\ P_d(X\le\mathrm{lower}),\ P_d(X\ge\mathrm{upper})"
    r"\text{ at them}",
    "interval_censored": r"p(l,h) = P_d(l<X\le h)",
    "Mixture": r"p(x) = \sum_k w_k\,p_k(x)",
    "mixture_same_family": r"p(x) = \sum_k w_k\,p(x\mid\theta_k)",
    "zero_inflated": r"p(0) = p+(1-p)\,p_d(0),\quad p(x) = (1-p)\,p_d(x)",
    "hurdle": r"p(0) = p,\quad p(x) = (1-p)\,\frac{p_d(x)}{1-p_d(0)}",
    "transformed": r"p(y) = p_d(x)\,\left|\frac{dx}{dy}\right|,\quad y=f(x)",
}

L = laws
NORMAL = L.Normal(0, 1)
PICTURES = {
    "Normal": [L.Normal(0, 1), L.Normal(1, 0.5), L.Normal(0, 2)],
    "StudentT": [L.StudentT(1, 0, 1), L.StudentT(3, 0, 1), L.StudentT(30, 0, 1)],
    "Cauchy": [L.Cauchy(0, 1), L.Cauchy(1, 0.5), L.Cauchy(0, 2)],
    "Laplace": [L.Laplace(0, 1), L.Laplace(1, 0.5), L.Laplace(0, 2)],
    "Logistic": [L.Logistic(0, 1), L.Logistic(1, 0.5), L.Logistic(0, 2)],
    "Uniform": [L.Uniform(0, 1), L.Uniform(-1, 1.5)],
    "SkewNormal": [L.SkewNormal(0, 1, 4), L.SkewNormal(0, 1, -1.5), L.SkewNormal(1, 2, 10)],
    "ExpModNormal": [L.ExpModNormal(0, 1, 1), L.ExpModNormal(0, 0.5, 0.3), L.ExpModNormal(-1, 0.5, 2)],
    "AsymmetricLaplace": [L.AsymmetricLaplace(0, 1, 1), L.AsymmetricLaplace(0, 1, 0.5), L.AsymmetricLaplace(0, 1, 2)],
    "SkewDoubleExponential": [L.SkewDoubleExponential(0, 1, t) for t in (0.5, 0.2, 0.9)],
    "SkewStudentT": [L.SkewStudentT(2, 2), L.SkewStudentT(8, 1.5), L.SkewStudentT(1.5, 4)],
    "Moyal": [L.Moyal(0, 1), L.Moyal(1, 0.5)],
    "HalfNormal": [L.HalfNormal(1), L.HalfNormal(2)],
    "HalfStudentT": [L.HalfStudentT(1, 1), L.HalfStudentT(4, 1), L.HalfStudentT(4, 2)],
    "HalfCauchy": [L.HalfCauchy(1), L.HalfCauchy(2)],
    "LogNormal": [L.LogNormal(0, 1), L.LogNormal(0, 0.4), L.LogNormal(1, 0.5)],
    "Exponential": [L.Exponential(1), L.Exponential(0.5), L.Exponential(2)],
    "Gamma": [L.Gamma(1, 1), L.Gamma(3, 1), L.Gamma(9, 2)],
    "InverseGamma": [L.InverseGamma(2, 1), L.InverseGamma(3, 3), L.InverseGamma(9, 9)],
    "Weibull": [L.Weibull(1, 1), L.Weibull(1.5, 1), L.Weibull(4, 2)],
    "ChiSquare": [L.ChiSquare(2), L.ChiSquare(4), L.ChiSquare(9)],
    "InverseChiSquare": [L.InverseChiSquare(4), L.InverseChiSquare(6), L.InverseChiSquare(12)],
    "ScaledInverseChiSquare": [L.ScaledInverseChiSquare(*p) for p in ((5, 1), (10, 1), (10, 1.5))],
    "Rayleigh": [L.Rayleigh(1), L.Rayleigh(2)],
    "Rice": [L.Rice(0, 1), L.Rice(2, 1), L.Rice(3, 0.5)],
    "LogLogistic": [L.LogLogistic(1, 2), L.LogLogistic(1, 4), L.LogLogistic(2, 8)],
    "InverseGaussian": [L.InverseGaussian(1, 1), L.InverseGaussian(1, 4), L.InverseGaussian(2, 10)],
    "Gumbel": [L.Gumbel(0, 1), L.Gumbel(1, 0.5), L.Gumbel(0, 2)],
    "Frechet": [L.Frechet(2, 1), L.Frechet(3, 1), L.Frechet(4, 2)],
    "GeneralizedExtremeValue": [L.GeneralizedExtremeValue(0, 1, xi) for xi in (-0.5, 0, 0.3)],
    "GeneralizedPareto": [L.GeneralizedPareto(0, 1, xi) for xi in (-0.5, 0, 0.3)],
    "Pareto": [L.Pareto(1, 2), L.Pareto(1, 4), L.Pareto(2, 4)],
    "ParetoType2": [L.ParetoType2(0, 1, 2), L.ParetoType2(0, 2, 4)],
    "Beta": [L.Beta(0.5, 0.5), L.Beta(2, 5), L.Beta(8, 4)],
    "BetaProportion": [L.BetaProportion(*p) for p in ((0.5, 2), (0.3, 8), (0.8, 30))],
    "Kumaraswamy": [L.Kumaraswamy(0.5, 0.5), L.Kumaraswamy(2, 5), L.Kumaraswamy(5, 2)],
    "LogitNormal": [L.LogitNormal(0, 1), L.LogitNormal(0, 2.5), L.LogitNormal(1, 0.5)],
    "Triangular": [L.Triangular(0, 0.3, 1), L.Triangular(-0.5, 1, 1)],
    "VonMises": [L.VonMises(0, 1), L.VonMises(1, 4), L.VonMises(-1, 0.2)],
    "Interpolated": [L.Interpolated([0, 1, 2, 3, 5], [0, 2, 1, 1.5, 0])],
    "Bernoulli": [L.Bernoulli(0.3), L.Bernoulli(0.6)],
    "Binomial": [L.Binomial(10, 0.2), L.Binomial(10, 0.5), L.Binomial(20, 0.7)],
    "Poisson": [L.Poisson(1), L.Poisson(4), L.Poisson(10)],
    "NegativeBinomial2": [L.NegativeBinomial2(4, 1), L.NegativeBinomial2(4, 5), L.NegativeBinomial2(10, 20)],
    "Categorical": [L.Categorical([0.2, 0.5, 0.3])],
    "Geometric": [L.Geometric(0.3), L.Geometric(0.6)],
    "NegativeBinomial": [L.NegativeBinomial(2, 1), L.NegativeBinomial(5, 0.8)],
    "NegativeBinomialP": [L.NegativeBinomialP(2, 0.5), L.NegativeBinomialP(5, 0.4)],
    "BetaBinomial": [L.BetaBinomial(10, 0.7, 2), L.BetaBinomial(10, 2, 2), L.BetaBinomial(20, 20, 8)],
    "BetaNegativeBinomial": [L.BetaNegativeBinomial(3, 5, 2), L.BetaNegativeBinomial(6, 9, 8)],
    "Hypergeometric": [L.Hypergeometric(10, 20, 20), L.Hypergeometric(10, 10, 30)],
    "DiscreteUniform": [L.DiscreteUniform(1, 6), L.DiscreteUniform(-2, 3)],
    "Skellam": [L.Skellam(2, 2), L.Skellam(6, 2)],
    "DiscreteWeibull": [L.DiscreteWeibull(0.5, 0.7), L.DiscreteWeibull(0.9, 1.5)],
    "COMPoisson": [L.COMPoisson(3, 0.7), L.COMPoisson(4, 1), L.COMPoisson(50, 2.5)],
    "YuleSimon": [L.YuleSimon(1), L.YuleSimon(4)],
    "OrderedLogistic": [L.OrderedLogistic(eta, [-1.0, 0.0, 2.0]) for eta in (-1.0, 0.5, 2.0)],
    "OrderedProbit": [L.OrderedProbit(eta, [-1.0, 0.0, 2.0]) for eta in (-1.0, 0.5, 2.0)],
    "Wiener": [L.Wiener(1, 0.2, 0.5, 0), L.Wiener(1.5, 0.2, 0.5, 1), L.Wiener(2, 0.1, 0.3, 0.5)],
    "truncated": [L.truncated(NORMAL, -0.5), L.truncated(NORMAL, -1, 1.5)],
    "restricted": [L.restricted(NORMAL, -0.5), L.restricted(NORMAL, -1, 1.5)],
    "Mixture": [
        L.Mixture([0.3, 0.7], L.Normal(np.array([-2.0, 1.0]), np.array([0.5, 1.0]))),
        L.Mixture([0.5, 0.5], [L.Gamma(2, 1), L.Normal(5, 0.7)]),
    ],
    "zero_inflated": [L.zero_inflated(L.Poisson(4), 0.2), L.zero_inflated(L.NegativeBinomial2(4, 2), 0.1)],
    "hurdle": [L.hurdle(L.Poisson(4), 0.2), L.hurdle(L.Poisson(1), 0.1)],
    "transformed": [L.transformed(NORMAL, "expit"), L.transformed(L.Gamma(3, 9), "sqrt")],
}

FAMILIES = {  # module -> heading
    "continuous": "On the whole line",
    "skewed": "Leaning to one side",
    "positive": "On the positive half line",
    "lifetimes": "More on the positive half line",
    "extremes": "Extremes and excesses",
    "bounded": "On an interval",
    "discrete": "Whole numbers",
    "counts": "More counts",
    "zero_inflation": "Zero-inflated laws and hurdles by short names",
    "ordinal": "Ordered categories",
    "multinomial": "Counts of categories",
    "multivariate": "Vectors",
    "matrices": "Matrices",
    "time_series": "Time series",
    "state_space": "State space",
    "markov": "Chains of states",
    "spatial": "Space",
    "graphs": "Graphs of neighbours",
    "walks": "Random walks",
    "copulas": "Copulas",
    "diffusion": "Times of decisions",
    "regression": "Outcomes of a regression",
    "wrappers": "On another support",
    "censoring": "Censored",
    "mixtures": "Mixtures and zeros",
    "custom": "Transformed, and of one's own",
    "interop": "From other libraries",
}
