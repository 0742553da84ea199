"""What operators must see alike of every service: log shape, metric names, trace ids."""
