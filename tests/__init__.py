"""The Python half of the tests: `stack` runs the real parts, `demo` shows them, `e2e` checks them."""
