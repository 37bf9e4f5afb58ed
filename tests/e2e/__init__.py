"""The end-to-end suite: one table of cases, run against a gateway's address (see README.md)."""
