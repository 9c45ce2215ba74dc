"""MotionWorld: drawn clips with known answers, as training rows and as a benchmark."""
