"""What the filter costs, beside Envoy's own filters and by itself."""

from tests.stack import ROOT

# Tokens, modules that do nothing, logs: what a run leaves for the next one, or for a reader.
WORK = ROOT / "target" / "bench"
