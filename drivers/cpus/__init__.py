"""What drivers know of processors: models, features, and what several hosts have in common."""
