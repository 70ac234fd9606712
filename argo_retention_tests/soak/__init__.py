"""An hour of steady work with everything failing now and then: `python -m argo_retention_tests.soak`."""
