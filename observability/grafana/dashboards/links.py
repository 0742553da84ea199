"""Ways from one board to the next, at the same time, environment and colour."""

from __future__ import annotations

_KEPT = "${__url_time_range}&${prometheus:queryparam}&${colour:queryparam}&${version:queryparam}"

FLEET = {"Fleet": f"/d/sightline-fleet?{_KEPT}"}
SLO = {"Service levels": f"/d/sightline-slo?{_KEPT}"}
DETECTION = {"Detection": f"/d/sightline-detection?{_KEPT}"}
GATEWAY = {"Gateway": f"/d/sightline-gateway?{_KEPT}"}
DATABASE = {"Database": f"/d/sightline-database?{_KEPT}"}
COLOURS = {"Blue and green": f"/d/sightline-colours?{_KEPT}"}
SINK = {"This sink": f"/d/sightline-sink?{_KEPT}&var-sink=${{__field.labels.sink}}"}
MODEL = {"This model": f"/d/sightline-model?{_KEPT}&var-model=${{__field.labels.model}}"}
LOGS = {"Logs": f"/d/sightline-logs?{_KEPT}"}
SERVICES = DETECTION | GATEWAY
