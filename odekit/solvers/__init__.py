"""The integrators: tables, steppers, control, linear algebra, and the driver that runs them."""
