"""What the stub issuer permits, as Keycloak 26.7's authorization services answer (see issuers.yaml).

    authorization:
      resource_server: orders-api
      resources: {orders: {scopes: [read, write], uris: ["/decision/orders/*"]}}
      grants:
        - {permission: orders#read, token: {preferred_username: alice}, pushed: {amount: "[0-9]{1,2}"}}

A grant holds where the token says what it names, exactly, and the first value that was pushed matches: a
Keycloak policy on pushed claims looks at no other.
"""

import re


class Permissions:
    def __init__(self, specification):
        self._resource_server = specification.get("resource_server")
        self._resources = specification.get("resources", {})
        self._grants = specification.get("grants", [])

    def is_of(self, client):
        """Whether this client is the resource server, which alone may ask for tickets."""
        return client == self._resource_server

    def resource(self, name):
        """By its name; None if there is no such resource."""
        return self._resources.get(name)

    def decision(self, audience, asked, by_uri, claims, pushed):
        """Status and answer to `response_mode=decision`.

        `asked` are texts as in `permission`; one of several that is granted will do, as in Keycloak.
        """
        if audience != self._resource_server:
            return 400, {"error": "invalid_request", "error_description": f"Unknown resource server id: [{audience}]"}
        granted = False
        for text in asked:
            resource, scope = _split(text)
            names = self._found(resource, by_uri)
            scopes = [each for each in scope.split(",") if each]
            of_all = {each for resource in self._resources.values() for each in resource["scopes"]}
            unknown = [each for each in scopes if each not in of_all]
            if unknown:
                said = f"One of the given scopes {unknown} is invalid"
                return 400, {"error": "invalid_scope", "error_description": said}
            names = [name for name in names if set(scopes) & set(self._resources[name]["scopes"]) or not scopes]
            if not names:
                said = f"Resource with {'uri' if by_uri else 'id'} [{resource}] does not exist."
                return 400, {"error": "invalid_resource", "error_description": said}
            granted |= any(self._grants_it(name, scopes, claims, pushed) for name in names)
        if granted:
            return 200, {"result": True}
        return 403, {"error": "access_denied", "error_description": "not_authorized"}

    def _found(self, resource, by_uri):
        if not resource:
            return list(self._resources)
        if not by_uri:
            return [name for name in self._resources if name == resource]
        # The one that is exactly so comes before patterns; a query does not count.
        path = resource.partition("?")[0]
        uris = [(uri, name) for name, given in self._resources.items() for uri in given.get("uris", [])]
        exactly = [name for uri, name in uris if uri == path]
        return exactly or [name for uri, name in uris if _matches(uri, path)]

    def _grants_it(self, name, scopes, claims, pushed):
        return any(
            _is_about(grant["permission"], name, scopes)
            and all(claims.get(claim) == value for claim, value in grant.get("token", {}).items())
            and all(_says(pushed, claim, pattern) for claim, pattern in grant.get("pushed", {}).items())
            for grant in self._grants
        )


def _split(text):
    """As Java's String.split does: what is empty at the end does not count."""
    parts = text.rstrip("#").split("#")
    return parts[0], parts[1] if len(parts) > 1 else ""


def _is_about(permission, name, scopes):
    """Any of the scopes will do; and where none is asked for, any of the resource's."""
    granted, _, of_it = permission.partition("#")
    return granted == name and (not scopes or bool(set(scopes) & set(of_it.split(","))))


def _says(pushed, claim, pattern):
    values = pushed.get(claim) or [""]
    return re.fullmatch(pattern, values[0]) is not None


def _matches(uri, path):
    """`/orders/*` has /orders, too; `{id}` is one segment. Nothing is decoded, nothing made plain."""
    if uri.endswith("/*"):
        return path == uri[:-2] or path.startswith(uri[:-1])
    pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", uri))
    return re.fullmatch(pattern, path) is not None
