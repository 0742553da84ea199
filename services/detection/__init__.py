"""The detection service: bytes → image → letterbox → session → boxes → message."""

import os

# ONNX Runtime, from 1.32 on, tells its maker of each use unless told otherwise before its first
# import, and keeps a device's id in the home folder. Whose frames we see is nobody's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
