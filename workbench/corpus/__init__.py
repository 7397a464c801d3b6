"""Training corpora: documents of role-tagged turns, and the kernel that scans them."""

from workbench.corpus.documents import Corpus, Document, write
from workbench.corpus.query import CompiledQuery
from workbench.corpus.scan import Count, Hit, count, count_by, hits, scan

__all__ = [
    "CompiledQuery",
    "Corpus",
    "Count",
    "Document",
    "Hit",
    "count",
    "count_by",
    "hits",
    "scan",
    "write",
]
