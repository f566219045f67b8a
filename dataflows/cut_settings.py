"""Settings of cuts in object storage."""

from dataclasses import dataclass
from typing import Annotated

from connectors.objects.address import ObjectAddress
from dataflows.setting import Setting
from dataflows.setting_checks import configuration_problem

CUTS = "Object storage"


@dataclass(frozen=True, kw_only=True)
class CutSettings:
    """Settings of cuts; credentials come from the environment, as the tools of each cloud name them."""

    checkpoints: Annotated[
        str | None,
        Setting(
            CUTS,
            "URL",
            "Object storage for copies of the state: s3://BUCKET/PREFIX, az://…, gs://… or file:///PATH.",
            "none",
            check=lambda text: configuration_problem(ObjectAddress.parse, text),
        ),
    ] = None
    upload_every: Annotated[
        float, Setting(CUTS, "SECONDS", "Time between cuts, the copies of the whole state.", least=1, most=86_400)
    ] = 60
    keep_cuts: Annotated[int, Setting(CUTS, "N", "Number of the newest cuts that are kept.", least=2, most=1000)] = 3
    upload_rate: Annotated[
        float | None,
        Setting(CUTS, "MIB", "MiB per second that uploads send at most.", "no limit", above=0, most=100_000),
    ] = None
