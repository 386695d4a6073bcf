"""Topics in Three Men in a Boat: latent Dirichlet allocation with two topics, summed out.

Source: Blei, Ng and Jordan 2003.
"""

import numpy as np

import bayesad as ba


@ba.model
def ldaK2(V, M, w, doc):
    theta = ba.sample("theta", ba.Dirichlet(np.ones((M, 2))))
    phi = ba.sample("phi", ba.Dirichlet(np.ones((2, V))))
    pairs, counts = np.unique(np.column_stack([doc, w]) - 1, axis=0, return_counts=True)
    probability = (theta[pairs[:, 0]] * phi.T[pairs[:, 1]]).sum(axis=1)
    ba.factor("w", counts * np.log(probability))
