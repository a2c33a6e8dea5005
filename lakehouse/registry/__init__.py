"""The registry in PostgreSQL: what devices there are, how they are judged, and what was done to them."""

from lakehouse.registry.alert_rule import AlertRule, alert_rules
from lakehouse.registry.migration import migrate

__all__ = ["AlertRule", "alert_rules", "migrate"]
