"""Ways to run a program: the NumPy interpreter, and machine code made by LLVM."""
