"""The settings of the no-U-turn sampler; those of HMC are in test_hmc."""

import dataclasses
import math

import numpy as np
import pytest

from bayesad.errors import ConfigError
from bayesad.samplers import HMC, NUTS


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target_accept": 0.0}, ["NUTS", "target_accept", "above 0", "0.0"]),
        ({"target_accept": math.nan}, ["target_accept", "nan"]),
        ({"target_accept": None}, ["target_accept", "None"]),
        ({"max_tree_depth": 0}, ["max_tree_depth", "from 1 to 20", "got 0"]),
        ({"max_tree_depth": 21}, ["max_tree_depth", "from 1 to 20", "21"]),
        ({"max_tree_depth": True}, ["max_tree_depth", "True"]),
        ({"max_tree_depth": 5.0}, ["max_tree_depth", "whole number", "5.0"]),
        ({"metric": "full"}, ["metric", "auto, diagonal, dense, low_rank", "'full'"]),
        ({"metric": ["dense"]}, ["metric", "['dense']"]),
        ({"step_size": -0.1}, ["step_size", "above 0", "-0.1"]),
        ({"step_size": math.inf}, ["step_size", "finite", "inf"]),
    ],
)
def test_impossible_settings_are_named(settings, words):
    with pytest.raises(ConfigError) as error:
        NUTS(**settings)
    for word in words:
        assert word in str(error.value)


def test_possible_settings_are_taken_as_they_are():
    settings = NUTS(target_accept=0.95, max_tree_depth=np.int64(12), metric="dense", step_size=0.1)
    assert (settings.target_accept, settings.max_tree_depth, settings.metric, settings.step_size) == (
        0.95,
        12,
        "dense",
        0.1,
    )
    assert HMC(integration_time=2).integration_time == 2
    for sampler in (NUTS(), HMC()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            sampler.metric = "dense"
