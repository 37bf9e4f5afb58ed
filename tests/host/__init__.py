"""A host for `jwt_keycloak.wasm` that does the worst that Envoy and Kong's WasmX may do."""
