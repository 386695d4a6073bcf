"""Posteriors of posteriordb as bayesad models, with known log densities and reference draws to hold them against."""
