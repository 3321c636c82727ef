"""Each module measures one figure; its ``run_figure(settings)`` prints the result."""
