"""Posts of the organisation's own site on their way into essays; what is not carried over is told."""
