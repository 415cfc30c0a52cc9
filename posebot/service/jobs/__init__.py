"""Jobs on the Ray cluster: training, tuning, evaluation, synthesis."""
