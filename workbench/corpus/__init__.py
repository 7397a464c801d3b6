"""Training corpora: documents in Parquet, and the kernel that scans them."""

from workbench.corpus.documents import Corpus, Document, write
from workbench.corpus.scan import CompiledQuery, Count, Hit, count, scan

__all__ = ["CompiledQuery", "Corpus", "Count", "Document", "Hit", "count", "scan", "write"]
