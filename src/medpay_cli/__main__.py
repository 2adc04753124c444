"""`python -m medpay_cli` is the same as `medpay`."""

from medpay_cli.cli import main

main()
