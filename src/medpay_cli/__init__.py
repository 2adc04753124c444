"""medpay: validate, transform and reconcile batch files about medical money."""

# Written out: asking importlib.metadata costs 70 ms at every start.
__version__ = "0.1.0"
