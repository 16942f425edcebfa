"""Certificates: a count written down so that a separate program can check it (`docs/proofs.md`)."""
