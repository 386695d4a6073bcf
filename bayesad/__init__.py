"""bayesad"""
