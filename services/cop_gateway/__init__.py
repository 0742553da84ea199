"""The Common Operational Picture gateway: detections in, durable CoT out."""
