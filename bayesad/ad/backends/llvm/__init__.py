"""Machine code by LLVM: the just-in-time compiler, its cache, and the compiler of restricted Python."""
