"""Which technique finds what, and which auditor solves it, over organisms, twins and decoys.

Nothing is imported here: the app draws results (`report`, `figures`, `page`) in a process that must
not reach what builds and grades (`suite`, `runner`).
"""
