"""Diagnostics: known defects in synthetic draws are found and put into words; good draws get no finding."""

import re

import numpy as np
import pytest
import xarray as xr

from bayesad.diagnostics import (
    LIMITS,
    advice,
    all_is_well,
    flatten,
    most_telling,
    summary,
    trustworthy,
)
from bayesad.errors import DataError
from bayesad.results import to_datatree

CHAINS, DRAWS = 4, 1000


def good(seed=1, chains=CHAINS, draws=DRAWS, schools=3):
    """Independent draws and unsuspicious statistics, as plain arrays."""
    rng = np.random.default_rng(seed)
    posterior = {
        "mu": rng.normal(size=(chains, draws)),
        "tau": np.abs(rng.standard_cauchy(size=(chains, draws))),
        "theta": rng.normal(size=(chains, draws, schools)),
    }
    stats = {
        "diverging": np.zeros((chains, draws), bool),
        "energy": rng.normal(size=(chains, draws)),
        "reached_max_treedepth": np.zeros((chains, draws), bool),
    }
    return posterior, stats, rng


def tree_of(posterior, stats, **attributes):
    return to_datatree(
        {"posterior": posterior, "sample_stats": stats},
        dims={"theta": ["school"]},
        coords={"school": list("ABCDEFGHIJ")[: posterior["theta"].shape[-1]] if "theta" in posterior else []},
        attributes=attributes,
    )


def findings_of(posterior, stats, **attributes):
    return advice(tree_of(posterior, stats, **attributes))


def only(findings, check):
    matching = [finding for finding in findings if finding.check == check]
    assert len(matching) == 1, findings
    return matching[0]


# --- summary ---


def test_summary_agrees_with_plain_numpy():
    posterior, stats, _ = good()
    table = summary(tree_of(posterior, stats))
    assert list(table.index) == ["mu", "tau", "theta[A]", "theta[B]", "theta[C]"]
    for label, x in {"mu": posterior["mu"], "theta[B]": posterior["theta"][..., 1]}.items():
        row = table.loc[label]
        np.testing.assert_allclose(row["mean"], x.mean(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(row["sd"], x.std(), rtol=1e-3)
        np.testing.assert_allclose([row["eti90_lb"], row["eti90_ub"]], np.quantile(x, [0.05, 0.95]), atol=5e-3)
    # In 1500 simulated sets of 4 x 1000 independent draws bulk ESS ranged from 3245 to 4434 (sd 168), so a false
    # alarm has a chance below 1 in 1500 for each of the 5 rows.
    assert table["ess_bulk"].between(2800, 4800).all()


def test_entries_of_matrices_keep_their_labels_whatever_came_before():
    # arviz-base 0.8 would label theta's entries in another order, because `effect` is the first dim of the data set.
    rng = np.random.default_rng(3)
    noise = 0.01 * rng.standard_normal((2, 100, 4, 2))
    posterior = {"sigma": noise[:, :, 0] + 1.0, "theta": noise + np.arange(8.0).reshape(4, 2)}
    dims = {"sigma": ["effect"], "theta": ["group", "effect"]}
    tree = to_datatree({"posterior": posterior}, dims=dims, coords={"group": list("abcd"), "effect": ["x", "y"]})
    table = summary(tree)
    for i, group in enumerate("abcd"):
        for j, effect in enumerate("xy"):
            label = f"theta[{group}, {effect}]"
            np.testing.assert_allclose(table.loc[label, "mean"], posterior["theta"][:, :, i, j].mean(), rtol=1e-12)
            np.testing.assert_array_equal(flatten(tree)[label], posterior["theta"][:, :, i, j])


def test_summary_takes_variables_and_entries():
    tree = tree_of(*good()[:2])
    assert list(summary(tree, ["theta"]).index) == ["theta[A]", "theta[B]", "theta[C]"]
    assert list(summary(tree, ["theta[B]", "mu"]).index) == ["mu", "theta[B]"]


@pytest.mark.parametrize("name", ["thta", "thta[A]"])
def test_an_unknown_parameter_is_suggested(name):
    with pytest.raises(DataError, match=r"no parameter 'thta.*did you mean 'theta'.*there are mu, tau, theta"):
        summary(tree_of(*good()[:2]), [name])


def test_an_unknown_entry_is_named():
    with pytest.raises(DataError, match=r"no entry 'theta\[Q\]'"):
        summary(tree_of(*good()[:2]), ["theta[Q]"])


def test_variables_without_entries_are_left_out():
    posterior, stats, _ = good()
    posterior["nothing"] = np.zeros((CHAINS, DRAWS, 0))
    tree = tree_of(posterior, stats)
    assert "nothing" not in " ".join(summary(tree).index)
    assert advice(tree) == []


def test_variables_of_foreign_files_that_are_no_draws_are_left_out():
    tree = tree_of(*good()[:2])
    posterior = (
        tree["posterior"].to_dataset().assign(note="text", lp=3.0, words=(("chain", "draw"), np.full((4, 1000), "a")))
    )
    tree["posterior"] = xr.DataTree(posterior)
    assert list(summary(tree).index) == ["mu", "tau", "theta[A]", "theta[B]", "theta[C]"]
    assert advice(tree) == []


def test_no_draws_is_an_error():
    with pytest.raises(DataError, match="no draws"):
        summary(to_datatree({"posterior": {"mu": np.zeros((4, 0))}}))


def test_flattened_draws_are_those_of_the_label():
    posterior, stats, rng = good()
    posterior["L"] = rng.normal(size=(CHAINS, DRAWS, 2, 2))
    flat = flatten(tree_of(posterior, stats), ["L[1, 0]", "theta[C]"])
    assert list(flat) == ["L[1, 0]", "theta[C]"]
    np.testing.assert_array_equal(flat["L[1, 0]"], posterior["L"][:, :, 1, 0])
    np.testing.assert_array_equal(flat["theta[C]"], posterior["theta"][:, :, 2])


# --- nothing wrong ---


@pytest.mark.parametrize("seed", range(5))
def test_good_draws_get_no_finding(seed):
    # False alarms: split R-hat of independent draws exceeds 1.01 when the variance between the 8 half-chains is 11
    # times its expectation (chi-square of 7 degrees above 77: 5e-14). In 1500 simulated sets the largest R-hat was
    # 1.0036 and the least bulk and tail ESS were 3245 and 3144, far from the limit of 400.
    tree = tree_of(*good(seed)[:2])
    assert advice(tree) == []
    assert trustworthy([])
    line = all_is_well(summary(tree), CHAINS)
    assert line.startswith("All is well: 4 chains agree (R-hat at most 1.0") and "\n" not in line


def test_constants_of_the_models_structure_are_no_defect():
    posterior, stats, rng = good()
    lower = rng.normal(size=(CHAINS, DRAWS, 2, 2))
    lower[..., 0, 1], lower[..., 0, 0] = 0.0, 1.0
    posterior |= {"L": lower, "J": np.full((CHAINS, DRAWS), 8.0)}
    tree = tree_of(posterior, stats)
    assert advice(tree) == []
    assert "nan" not in all_is_well(summary(tree), CHAINS)


def test_draws_without_sampler_statistics_are_judged_too():
    posterior, _, _ = good()
    assert advice(to_datatree({"posterior": posterior})) == []
    posterior["mu"][0] += 3
    assert not trustworthy(advice(to_datatree({"posterior": posterior})))


# --- chains ---


def test_a_shifted_chain_is_found_and_named():
    posterior, stats, _ = good()
    posterior["mu"][2] += 1.0
    findings = findings_of(posterior, stats)
    finding = only(findings, "r_hat")
    assert "R-hat is above 1.01 for 1 of 5 quantities, worst mu (1." in finding.sentence
    assert "chain 2 lies apart" in finding.sentence
    assert not trustworthy(findings)
    assert only(findings, "ess_bulk").remedy == "First make the chains agree."


def test_two_pairs_of_chains_have_none_that_lies_apart():
    posterior, stats, _ = good()
    posterior["mu"][:2] += 1.0
    assert "apart" not in only(findings_of(posterior, stats), "r_hat").sentence


def test_one_chain_alone_is_a_caution():
    findings = findings_of(*good(chains=1)[:2])
    finding = only(findings, "r_hat")
    assert finding.severity == "caution" and "only one chain" in finding.sentence
    assert trustworthy(findings)


def test_a_sticky_chain_is_named_with_its_share():
    posterior, stats, rng = good()
    stay = rng.random(DRAWS) < 0.9
    for x in posterior.values():
        for i in range(1, DRAWS):
            if stay[i]:
                x[1, i] = x[1, i - 1]
    findings = findings_of(posterior, stats)
    share = 100 * stay[1:].mean()
    assert f"Chain 1 stayed in place in {share:.0f}% of its draws." in only(findings, "stuck").sentence
    assert not trustworthy(findings)


def test_rejections_as_a_static_trajectory_has_them_are_no_defect():
    posterior, stats, rng = good()
    stay = rng.random((CHAINS, DRAWS)) < 0.25
    for x in posterior.values():
        for chain, i in zip(*np.nonzero(stay), strict=True):
            if i:
                x[chain, i] = x[chain, i - 1]
    assert findings_of(posterior, stats) == []


def test_a_chain_that_never_moved_is_named():
    posterior, stats, _ = good()
    for x in posterior.values():
        x[3] = x[3, 0]
    assert only(findings_of(posterior, stats), "stuck").sentence == "Chain 3 never moved."


def test_all_chains_stuck_at_one_point_are_found():
    posterior, stats, _ = good()
    for x in posterior.values():
        x[:] = x[0, 0]
    sentences = [f.sentence for f in findings_of(posterior, stats) if f.check == "stuck"]
    assert sentences == [f"Chain {chain} never moved." for chain in range(CHAINS)]


def test_a_parameter_constant_in_one_chain_is_named():
    posterior, stats, _ = good()
    posterior["mu"][1] = 5.0
    assert "mu (chain 1)" in only(findings_of(posterior, stats), "stuck").sentence


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_draws_that_are_not_finite_are_counted(bad):
    posterior, stats, _ = good()
    posterior["theta"][0, 3:6, 1] = bad
    findings = findings_of(posterior, stats)
    assert "theta[B] (3 of 4000)" in only(findings, "not finite").sentence
    assert not trustworthy(findings)


# --- effective sample sizes ---


def autocorrelated(rng, rho, shape):
    x = rng.normal(size=shape)
    for i in range(1, shape[1]):
        x[:, i] = rho * x[:, i - 1] + np.sqrt(1 - rho**2) * x[:, i]
    return x


def test_too_few_effective_draws_are_named_with_how_many_more_it_takes():
    # An AR(1) chain with rho = 0.9 has 4000 (1 - rho) / (1 + rho) = 210 effective draws; estimated ESS ranged from
    # 92 to 317 in 300 simulated sets, so a false alarm has a chance below 1 in 300.
    posterior, stats, rng = good(3)
    posterior["mu"] = autocorrelated(rng, 0.9, (CHAINS, DRAWS))
    findings = findings_of(posterior, stats)
    finding = only(findings, "ess_bulk")
    assert "ess_bulk is below 400 for 1 of 5 quantities, least mu (" in finding.sentence
    assert not trustworthy(findings)
    ess = float(finding.sentence.rpartition("(")[2].rstrip(")."))
    assert 80 < ess < 340


def test_the_limit_scales_with_the_number_of_chains():
    for chains, expected in ((2, []), (4, ["ess_bulk"])):
        tree = tree_of(*good(chains=chains)[:2])
        table = summary(tree)
        table.loc["mu", "ess_bulk"] = 300.0
        assert [finding.check for finding in advice(tree, table)] == expected


@pytest.mark.parametrize("draws", [1, 3])
def test_a_handful_of_draws_is_distrusted_not_a_crash(draws):
    findings = findings_of(*good(draws=draws)[:2])
    assert "cannot be estimated" in only(findings, "ess_bulk").sentence
    assert not trustworthy(findings)


# --- divergences ---


def test_divergences_confined_to_small_tau_are_placed_there():
    posterior, stats, rng = good()
    small = posterior["tau"] < 0.5
    stats["diverging"] = small & (rng.random(small.shape) < 0.1)
    count, others = stats["diverging"].sum(), small[~stats["diverging"]].mean()
    finding = only(findings_of(posterior, stats, sampler="NUTS(target_accept=0.8)"), "divergences")
    assert f"There were {count} divergences (" in finding.sentence
    assert f"mostly where tau < 0.5 (100% of them, {100 * others:.0f}% of the other draws)" in finding.sentence
    assert finding.remedy.startswith("Raise target_accept to 0.95")


def test_recorded_starts_of_divergences_are_what_is_placed():
    # Six divergences anywhere among the draws are too few to place (the bound is 0.9 then), but where their last
    # steps began says it clearly.
    posterior, stats, _ = good()
    stats["diverging"][0, 10:16] = True
    tree = tree_of(posterior, stats)
    assert "mostly" not in only(advice(tree), "divergences").sentence
    starts = xr.Dataset(
        {
            "draw_index": ("divergence", np.arange(10, 16)),
            "tau": ("divergence", np.full(6, 1.0)),
            "theta": (("divergence", "theta_dim_0"), np.tile([0.0, 0.0, -2.5], (6, 1))),
        }
    )
    tree["divergences"] = xr.DataTree(starts)
    place = r"mostly where theta\[C\] < -2\.4\d* \(100% of them, 0\.\d% of the other draws\)"
    assert re.search(place, only(advice(tree), "divergences").sentence)


def test_divergences_in_an_upper_tail_are_placed_there():
    posterior, stats, rng = good()
    stats["diverging"] = (posterior["theta"][..., 1] > 1.5) & (rng.random((CHAINS, DRAWS)) < 0.2)
    assert "mostly where theta[B] > 1.5 (" in only(findings_of(posterior, stats), "divergences").sentence


def test_divergences_anywhere_are_placed_nowhere():
    # False alarm: 1e-3 in each run by the level of the bound.
    for seed in range(5):
        posterior, stats, rng = good(seed)
        stats["diverging"] = rng.random((CHAINS, DRAWS)) < 0.01
        assert "mostly" not in only(findings_of(posterior, stats), "divergences").sentence


def test_one_divergence_is_already_distrusted():
    posterior, stats, _ = good()
    stats["diverging"][0, 5] = True
    findings = findings_of(posterior, stats)
    assert only(findings, "divergences").sentence.startswith("There was 1 divergence (0.03% of the draws):")
    assert not trustworthy(findings)


def test_all_draws_diverging_is_no_crash():
    posterior, stats, _ = good()
    stats["diverging"][:] = True
    assert "4000 divergences (100% of the draws):" in only(findings_of(posterior, stats), "divergences").sentence


@pytest.mark.parametrize(
    ("target", "start"), [(0.8, "Raise target_accept to 0.95"), (0.95, "Raise target_accept to 0.99")]
)
def test_the_next_target_is_above_the_present_one(target, start):
    posterior, stats, _ = good()
    stats["diverging"][0, 5] = True
    assert only(
        findings_of(posterior, stats, sampler=f"NUTS(target_accept={target}, max_tree_depth=10)"), "divergences"
    ).remedy.startswith(start)


def test_beyond_the_last_target_reparameterising_is_left():
    posterior, stats, _ = good()
    stats["diverging"][0, 5] = True
    remedy = only(findings_of(posterior, stats, sampler="NUTS(target_accept=0.99)"), "divergences").remedy
    assert "target_accept" not in remedy and "reparameterise" in remedy


# --- the sampler ---


def test_low_e_bfmi_names_the_chains():
    posterior, stats, rng = good()
    # Energy that moves by small steps: its increments have a small part of its variance.
    stats["energy"][2] = autocorrelated(rng, 0.98, (1, DRAWS))[0]
    findings = findings_of(posterior, stats)
    assert "below 0.3 in chain 2 (0." in only(findings, "e_bfmi").sentence
    assert trustworthy(findings)


def test_trajectories_cut_short_are_a_caution():
    posterior, stats, _ = good()
    stats["reached_max_treedepth"][:, :500] = True
    findings = findings_of(posterior, stats)
    assert only(findings, "tree depth").sentence.startswith("50% of the trajectories")
    assert trustworthy(findings)


def test_the_worst_findings_come_first():
    posterior, stats, _ = good()
    stats["reached_max_treedepth"][:] = True
    stats["diverging"][0, 0] = True
    posterior["mu"][0] += 5
    severities = [finding.severity for finding in findings_of(posterior, stats)]
    assert severities == sorted(severities, reverse=True) and severities[-1] == "caution"


def test_every_limit_has_a_source():
    assert all(limit.source for limit in LIMITS.values())


# --- choosing rows ---


def test_the_telling_rows_are_the_bad_ones_and_the_single_numbers():
    posterior, stats, _ = good(schools=10)
    posterior["theta"] = np.concatenate([posterior["theta"]] * 3, axis=2)
    posterior["theta"][3, :, 17] += 4
    table = summary(to_datatree({"posterior": posterior, "sample_stats": stats}))
    chosen = most_telling(table, 6)
    assert len(chosen) == 6
    assert {"mu", "tau", "theta[17]"} <= set(chosen)
    assert chosen == [label for label in table.index if label in chosen]
    assert most_telling(table, 100) == list(table.index)
    assert most_telling(table, 2) == ["mu", "theta[17]"]
