"""Training losses: pure functions, float32."""
