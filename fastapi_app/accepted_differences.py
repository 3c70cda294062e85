"""The differences between this product's two sides that are accepted. The live comparison, the parity suite and
`migration_notes.md` have them from here."""

from fastapi_app.cutover.comparing.accepted import AcceptedDifference

ACCEPTED_DIFFERENCES: tuple[AcceptedDifference, ...] = ()
"""None: for every case of the parity suite both sides answer the same."""
