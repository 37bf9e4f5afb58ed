"""The callers of keycloak/demo-realm.json, and what befalls them: what a test does to the real realm."""

import contextlib

from tests.e2e.tokens import MINTED

REALM = "demo"


class Realm:
    """The realm `demo` of a running Keycloak. Whatever it issues is searched for in the log."""

    def __init__(self, keycloak):
        self._keycloak = keycloak

    # Tokens

    def token(self, client_id="orders-app", scope=None, realm=REALM):
        """An access token by client credentials; the clients' secrets are named after them."""
        return self._noted(self._keycloak.token(realm, client_id, f"{client_id}-secret", scope))

    def alice(self, client_id="orders-web", scope="openid"):
        """access_token, refresh_token and id_token of alice, who has a session of her own each time."""
        form = {"grant_type": "password", "username": "alice", "password": "alice-password", "scope": scope}
        answer = self._keycloak.grant(REALM, client_id=client_id, client_secret=_secret(client_id), **form)
        for name in ("access_token", "id_token", "refresh_token"):
            self._noted(answer[name])
        return answer

    def refreshed(self, tokens, client_id="orders-web"):
        """Further tokens of the same session."""
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        answer = self._keycloak.grant(REALM, client_id=client_id, client_secret=_secret(client_id), **form)
        self._noted(answer["access_token"])
        return answer

    def rpt(self, token, **form):
        """A requesting party token: `ticket`, or `audience` and `permission` (UMA 2.0 Grant, 3.3.1)."""
        return self._noted(self._keycloak.requesting_party_token(REALM, token, **form))

    # What makes a token useless before it expires

    def revoke(self, token, client_id="orders-app"):
        self._keycloak.revoke(REALM, token, client_id, _secret(client_id))

    def log_out(self, tokens, client_id="orders-web"):
        """As the user does it, in the client."""
        self._keycloak.log_out(REALM, tokens["refresh_token"], client_id, _secret(client_id))

    def end_session(self, tokens):
        """As an administrator does it."""
        self._keycloak.admin("DELETE", f"realms/{REALM}/sessions/{tokens['session_state']}")

    @contextlib.contextmanager
    def changed_client(self, client_id, attributes=None, **fields):
        """The client has these settings for the length of a `with` block."""
        (client,) = self._keycloak.admin("GET", f"realms/{REALM}/clients?clientId={client_id}")
        attributes = {**client.get("attributes", {}), **(attributes or {})}
        with self._changed(f"clients/{client['id']}", client, {**fields, "attributes": attributes}):
            yield

    @contextlib.contextmanager
    def changed_user(self, username, **fields):
        (user,) = self._keycloak.admin("GET", f"realms/{REALM}/users?exact=true&username={username}")
        with self._changed(f"users/{user['id']}", user, fields):
            yield

    @contextlib.contextmanager
    def without_realm_role(self, username, role):
        (user,) = self._keycloak.admin("GET", f"realms/{REALM}/users?exact=true&username={username}")
        roles = [self._keycloak.admin("GET", f"realms/{REALM}/roles/{role}")]
        path = f"realms/{REALM}/users/{user['id']}/role-mappings/realm"
        self._keycloak.admin("DELETE", path, roles)
        try:
            yield
        finally:
            self._keycloak.admin("POST", path, roles)

    # Authorization services

    @contextlib.contextmanager
    def changed_resource(self, name, uris):
        """A resource of orders-api has these paths, too, for the length of a `with` block."""
        path = self._resources()
        (found,) = self._keycloak.admin("GET", f"realms/{REALM}/{path}?exactName=true&name={name}")
        resource = self._keycloak.admin("GET", f"realms/{REALM}/{path}/{found['_id']}")
        with self._changed(f"{path}/{found['_id']}", resource, {"uris": [*resource["uris"], *uris]}):
            yield

    @contextlib.contextmanager
    def new_resource(self, name, uri):
        """A resource that no policy permits anybody, with the scope `read`."""
        path = f"realms/{REALM}/{self._resources()}"
        made = self._keycloak.admin("POST", path, {"name": name, "uris": [uri], "scopes": [{"name": "read"}]})
        try:
            yield
        finally:
            self._keycloak.admin("DELETE", f"{path}/{made['_id']}")

    def _resources(self):
        (client,) = self._keycloak.admin("GET", f"realms/{REALM}/clients?clientId=orders-api")
        return f"clients/{client['id']}/authz/resource-server/resource"

    @contextlib.contextmanager
    def _changed(self, path, before, fields):
        self._keycloak.admin("PUT", f"realms/{REALM}/{path}", {**before, **fields})
        try:
            yield
        finally:
            self._keycloak.admin("PUT", f"realms/{REALM}/{path}", before)

    def _noted(self, token):
        MINTED.append(token)
        return token


def _secret(client_id):
    """None for the one that has none."""
    return None if client_id == "orders-web" else f"{client_id}-secret"
