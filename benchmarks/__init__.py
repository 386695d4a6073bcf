"""What bayesad costs, as ratios to hand-written C and to its peers; `python -m benchmarks` prints tables."""
