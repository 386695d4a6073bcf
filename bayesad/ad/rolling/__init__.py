"""Loops found again: repeated stretches of a traced program become arrays and scans, and scans are made lean."""

from bayesad.ad.rolling import slices as slices
from bayesad.ad.rolling import split as split
