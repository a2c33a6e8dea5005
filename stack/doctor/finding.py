"""What `sensorlake doctor` has to say: one finding each thing that is not as it should be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not well. Never holds a secret: findings are shown and may be sent on."""

    area: str
    what: str
    why: str
    remedy: str
