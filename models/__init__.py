"""Models to run and to learn from; each file stands alone, with data in `data/` and a configuration in `configs/`."""
