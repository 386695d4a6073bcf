"""Party identification on ideology, age and background in the National Election Studies.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def nes(partyid7, real_ideo, race_adj, age_discrete, educ1, gender, income):
    age30_44, age45_64, age65up = (age_discrete == group for group in (2, 3, 4))
    one = np.ones(len(partyid7))
    X = np.column_stack([one, real_ideo, race_adj, age30_44, age45_64, age65up, educ1, gender, income])
    beta = ba.sample("beta", ba.Flat(), shape=9)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("partyid7", ba.Normal(X @ beta, sigma), obs=partyid7)
