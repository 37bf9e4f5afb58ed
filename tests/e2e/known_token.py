"""What the stub issuer says of a token when it is asked, by the recipe's `introspection` and
`introspection_jwt` (README.md, "Tokens")."""

import time

# Members of an answer that no access token has (RFC 7662, 2.2).
OF_AN_ANSWER = {"active", "client_id", "username", "token_type"}


class Known:
    """One token of an issuer.

    `claims`: what it says; `stated`: the recipe's `introspection`; `sign`: makes a JWT of a recipe, a
    header's members and claims. `changed` and `written` are tokens.py's ways with members.
    """

    def __init__(self, claims, stated, jwt, sign, changed, written):
        self.claims = claims
        self.is_active = stated != "inactive"
        self.signed_as = (jwt or {}).get("content_type")
        self.issued = []  # the JWTs that answers had
        self._raw = None
        self.answer = {"active": False}
        self._jwt = jwt
        self._sign = sign
        self._written = written
        if stated == "inactive":
            return
        stated = {} if stated == "active" else stated
        if "raw" in stated:
            self._raw = stated["raw"]
            return
        usual = {
            "active": True,
            # Keycloak does not tell of a requesting party token what it permits.
            **{name: value for name, value in claims.items() if name != "authorization"},
            "client_id": claims.get("client_id", claims.get("azp")),
            "username": claims.get("preferred_username"),
            "token_type": claims.get("typ", "Bearer"),
        }
        self.answer = changed(stated["only"], {}) if "only" in stated else changed(usual, stated)

    def end(self):
        """It was revoked, or its session has ended."""
        self.is_active = False
        self.answer = {"active": False}
        self._raw = None

    def as_json(self):
        return self._written(self.answer) if self._raw is None else self._raw

    def with_jwt(self):
        """Keycloak's answer to `Accept: application/jwt`, the JWT in a member."""
        recipe = self._jwt or {}
        # Keycloak gives one with `active: false`, too, where only the audience is amiss.
        if self._raw is not None or recipe.get("absent") or (not self.is_active and self._jwt is None):
            return self.as_json()
        # A service account's token says its client_id itself.
        of_an_answer = OF_AN_ANSWER - self.claims.keys()
        claims = {name: value for name, value in self.answer.items() if name not in of_an_answer}
        claims = claims if self.is_active else self.claims
        # In another order: as Keycloak's, it has other octets than the token, whatever signs it.
        claims = dict(reversed(claims.items()))
        return self._written({**self.answer, "jwt": self._issue({"typ": "JWT"}, claims)})

    def signed(self, iss, client):
        """RFC 9701, 5; None where this token's answers are plain."""
        if (self._jwt or {}).get("absent"):
            return None
        if self._raw is not None:
            return self._raw
        claims = {"iss": iss, "aud": client, "iat": int(time.time()), "token_introspection": self.answer}
        return self._issue({"typ": "token-introspection+jwt"}, claims)

    def _issue(self, header, claims):
        recipe = {name: value for name, value in (self._jwt or {}).items() if name not in ("absent", "content_type")}
        text = self._sign(recipe, header, claims)
        self.issued.append(text)
        return text
