"""Goals of a season of football: attack and defence of 18 teams, and a law of one's own (Dixon and Coles 1997).

home, away: the teams, by number; home_goals, away_goals: of the 306 games of the German Bundesliga in 2008/09. Goals
of both sides are independent Poisson counts, but for scores of at most one goal each, which become more or less
probable. `ba.CustomDistribution` makes a law of a log density, and of a function that draws, for predictions.
"""

import numpy as np

import bayesad as ba


def dixon_coles(rates, rho):
    """The law of the goals of both sides, with these rates: arrays of shape (games, 2)."""
    home, away = rates[:, 0], rates[:, 1]

    def tilt(goals):
        x, y = goals[..., 0], goals[..., 1]
        drawn_games = np.where(x == 0, -home * away, -1.0)
        change = np.where(x == y, drawn_games, np.where(x == 0, home, away))
        return 1 + rho * np.where(np.maximum(x, y) <= 1, change, 0.0)

    def log_prob(goals):
        return ba.Poisson(rates).log_prob(goals).sum(axis=-1) + np.log(tilt(goals))

    def sample(rng, shape):
        """Independent counts, until a pair is accepted."""
        most = 1 + np.abs(rho) * np.maximum(1.0, np.maximum(home, 1.0) * np.maximum(away, 1.0))
        goals, wanted = np.zeros(shape, int), np.ones(shape[:-1], bool)
        while wanted.any():
            tried = rng.poisson(rates, shape)
            accepted = wanted & (most * rng.random(shape[:-1]) < tilt(tried))
            goals[accepted] = tried[accepted]
            wanted &= ~accepted
        return goals

    return ba.CustomDistribution(log_prob, "integer", sample, event_shape=2, batch_shape=len(rates))


@ba.model
def football(team, home, away, home_goals, away_goals):
    ba.coord("team", team)
    ba.coord("part", ["attack", "defence"])
    ba.coord("side", ["home", "away"])
    level = ba.sample("level", ba.Normal(0, 0.5))
    at_home = ba.sample("at_home", ba.Normal(0, 0.5))
    spread = ba.sample("spread", ba.LogNormal(np.log(0.2), 0.5), dims="part")
    z = ba.sample("z", ba.zero_sum(ba.Normal(0, 1)), dims=("part", "team"))
    attack, defence = ba.deterministic("strength", spread[:, None] * z, dims=("part", "team"))
    rho = ba.sample("rho", ba.truncated(ba.Normal(0, 0.1), -0.2, 0.2))
    home_rate = np.exp(level + at_home + attack[home] - defence[away])
    away_rate = np.exp(level + attack[away] - defence[home])
    law = dixon_coles(np.stack([home_rate, away_rate], axis=1), rho)
    ba.sample("goals", law, obs=np.stack([home_goals, away_goals], axis=1), dims=("game", "side"))


def points(data, goals):
    """Points of the teams after all games, for goals of shape (..., games, 2): three for a victory, one for a draw."""
    home, away = goals[..., 0], goals[..., 1]
    won, drawn = np.stack([home > away, away > home]), home == away
    total = np.zeros((*goals.shape[:-2], len(data["team"])))
    for k in range(len(data["team"])):
        for side, own in enumerate((data["home"] == k, data["away"] == k)):
            total[..., k] += 3 * won[side][..., own].sum(axis=-1) + drawn[..., own].sum(axis=-1)
    return total


def picture(tree, posterior):
    """Points of the teams at the end, predicted and as they were; and their attack and defence."""
    from matplotlib.figure import Figure

    data = posterior.data
    predicted = posterior.predict(tree.isel(draw=slice(0, None, 10)), seed=1).posterior_predictive.goals.values
    ends = np.quantile(points(data, predicted), [0.05, 0.95], axis=(0, 1))
    seen = points(data, posterior.observed_data["goals"])
    order, places = np.argsort(seen), np.arange(len(seen))
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.hlines(places, *ends[:, order], color="#56b4e9", linewidth=4, label="predicted, 90 %")
    left.plot(seen[order], places, "k.", label="as they were")
    left.set_yticks(places, np.array(data["team"])[order], fontsize=8)
    left.set(xlabel="points")
    left.legend(frameon=False, loc="lower right")
    right.axvline(0.0, color="#999999", linewidth=1)
    for part, shift, colour in (("attack", 0.15, "#d55e00"), ("defence", -0.15, "#009e73")):
        ends = tree.posterior.strength.sel(part=part).quantile([0.05, 0.95], ("chain", "draw")).values
        right.hlines(places + shift, *ends[:, order], color=colour, linewidth=3, label=part)
    right.set(xlabel="log of the ratio of goals, to an average team")
    right.legend(frameon=False, loc="lower right")
    return figure
