"""What the kernels tell the thread that watches them, and what they note of every transition: tables of places."""

# A chain's row of int64, which another thread may read at any time and where it may set STOP.
STOP = 0
ITERATION = 1
LEAPFROGS = 2  # evaluations of the log density and its gradient so far
DIVERGENCES = 3  # in the current phase
DEPTH = 4  # of the last trajectory
PHASE = 5
CONTROL_SIZE = 16  # two cache lines, so that no chain's writes slow another's down

WARMUP = 0
SAMPLING = 1

# A row of float64 about one transition.
LOG_DENSITY = 0
ACCEPTANCE = 1
STEP_SIZE = 2
ENERGY = 3
N_STEPS = 4
TREE_DEPTH = 5
INDEX = 6  # of the state drawn, the start being 0
DIVERGING = 7
REACHED_LIMIT = 8
N_STATISTICS = 9

# How a transition, a search for a step size or a whole run of a chain ended.
COMPLETE = 0
DIVERGENT = 1
LIMITED = 2  # by the greatest tree depth
STOPPED = 3  # by STOP: nothing has changed but the random stream
UNUSABLE_START = 4  # density or gradient is not finite
STEP_SIZE_TOO_LARGE = 5
STEP_SIZE_TOO_SMALL = 6
