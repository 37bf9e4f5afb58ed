"""A real Keycloak with imported realms, its data in memory.

Its public name is fixed (`hostname`) and is the gateway's, as in envoy/docker-compose.yaml. So tokens
carry the same `iss` wherever either of them listens, and envoy/envoy.yaml fits unchanged. That an
issuer's name is not its address is the normal case behind a gateway.
"""

import base64
import json
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from . import ROOT, TOOLS, StackError, ports
from .install import KEYCLOAK_HOME
from .process import Process, progress

PUBLIC_URL = "http://localhost:8000"
REALMS = [ROOT / "keycloak" / "demo-realm.json", ROOT / "keycloak" / "partner-realm.json"]
SIGNED_JWT_KEY = ROOT / "keycloak" / "demo-only-signed-jwt-app.key.pem"
ADMIN = ("admin", "admin")

# Keycloak's key providers, by the algorithm that a new key is for.
KEY_PROVIDERS = {"RS": "rsa-generated", "PS": "rsa-generated", "ES": "ecdsa-generated", "Ed": "eddsa-generated"}


class Keycloak:
    """Its log is in `log`, which stays when it has stopped."""

    def __init__(self, port=None, management_port=None, realms=REALMS, public_url=PUBLIC_URL, name="keycloak"):
        self.port = port or ports.free()
        self.management_port = management_port or ports.free()
        self.realms = [Path(realm) for realm in realms]
        self.public_url = public_url
        self.address = (ports.HOST, self.port)
        self.url = f"http://{ports.HOST}:{self.port}"
        self.log = TOOLS / "logs" / f"{name}.log"
        self._home = None
        self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # Life

    def start(self, timeout=240):
        if not KEYCLOAK_HOME.is_dir():
            raise StackError("Keycloak is not installed: run python3 -m tests.stack.install")
        ports.require_free(self.port, "Keycloak", "KEYCLOAK_PORT")
        ports.require_free(self.management_port, "Keycloak's management", "KEYCLOAK_MANAGEMENT_PORT")
        self._make_home()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        progress(f"Keycloak: starting on port {self.port}; about half a minute, on the first start a minute")
        self._process = Process(
            "Keycloak",
            [
                "sh", KEYCLOAK_HOME / "bin" / "kc.sh", f"-Dkc.home.dir={self._home}",
                "start-dev", "--import-realm", "--db=dev-mem", "--health-enabled=true",
                f"--hostname={self.public_url}", "--proxy-headers=xforwarded",
                f"--http-host={ports.HOST}", f"--http-port={self.port}", f"--http-management-port={self.management_port}",
            ],
            log=self.log,
            env={"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN[0], "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1]},
        )  # fmt: skip
        try:
            seconds = self._process.wait_until(self._ready, timeout)
        except BaseException:
            self.stop()
            raise
        progress(f"Keycloak: ready after {seconds:.0f} s")
        return self

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None
        if self._home:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _make_home(self):
        """The installed program, which keeps what it has built for itself, with an import of our own."""
        self._home = Path(tempfile.mkdtemp(prefix="keycloak-"))
        for part in ("lib", "conf", "providers", "themes"):
            (self._home / part).symlink_to(KEYCLOAK_HOME / part)
        imports = self._home / "data" / "import"
        imports.mkdir(parents=True)
        for realm in self.realms:
            shutil.copy(realm, imports)

    def _ready(self):
        try:
            url = f"http://{ports.HOST}:{self.management_port}/health/ready"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return json.load(answer)["status"] == "UP"
        except OSError:
            return False

    # What a client does

    def issuer(self, realm):
        return f"{self.public_url}/realms/{realm}"

    def token_endpoint(self, realm):
        return f"{self.url}/realms/{realm}/protocol/openid-connect/token"

    def grant(self, realm, **form):
        """The whole answer of the token endpoint to any grant."""
        form = {name: value for name, value in form.items() if value is not None}
        return self._json("POST", self.token_endpoint(realm), form=form)

    def token(self, realm, client_id, client_secret, scope=None):
        """An access token by client credentials."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, "scope": scope}
        return self.grant(realm, **form)["access_token"]

    def user_tokens(self, realm, client_id, username, password, scope=None):
        """access_token, refresh_token and, with the scope `openid`, id_token of a user."""
        form = {"grant_type": "password", "client_id": client_id, "username": username, "password": password, "scope": scope}
        return self.grant(realm, **form)

    def signed_jwt_token(self, realm, client_id, key_file, scope=None):
        """An access token for a client that authenticates by a JWT it signs (private_key_jwt, RFC 7523, 2.2)."""
        answer = self.grant(
            realm,
            grant_type="client_credentials",
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            client_assertion=client_assertion(client_id, self.issuer(realm), key_file),
            scope=scope,
        )
        return answer["access_token"]

    def requesting_party_token(self, realm, token, **form):
        """A token that says what its holder may do, by a ticket or for a resource server (UMA 2.0 Grant, 3.3)."""
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:uma-ticket", **form}
        return self._json("POST", self.token_endpoint(realm), form=form, token=token)["access_token"]

    def revoke(self, realm, token, client_id, client_secret=None):
        """The token is good no longer (RFC 7009)."""
        form = {"token": token, "client_id": client_id, "client_secret": client_secret}
        self._end(realm, "revoke", form)

    def log_out(self, realm, refresh_token, client_id, client_secret=None):
        """Ends the session that a refresh token belongs to."""
        form = {"refresh_token": refresh_token, "client_id": client_id, "client_secret": client_secret}
        self._end(realm, "logout", form)

    def _end(self, realm, endpoint, form):
        form = {name: value for name, value in form.items() if value is not None}
        self._json("POST", f"{self.url}/realms/{realm}/protocol/openid-connect/{endpoint}", form=form)

    def keys(self, realm):
        """The realm's public keys."""
        return self._json("GET", f"{self.url}/realms/{realm}/protocol/openid-connect/certs")["keys"]

    # What an administrator does

    def admin_token(self):
        return self.user_tokens("master", "admin-cli", *ADMIN)["access_token"]

    def admin(self, method, path, body=None):
        """A call of the admin API, such as admin("GET", "realms/demo/clients")."""
        return self._json(method, f"{self.url}/admin/{path}", body=body, token=self.admin_token())

    def rotate_key(self, realm, algorithm="RS256"):
        """Makes a key that the realm signs with from now on; the old one stays published. Returns its kid."""
        priorities = [
            int(component["config"].get("priority", ["0"])[0])
            for component in self.admin("GET", f"realms/{realm}/components?type=org.keycloak.keys.KeyProvider")
        ]
        provider = KEY_PROVIDERS[algorithm[:2]]
        config = {"priority": [str(max(priorities, default=0) + 1)], "enabled": ["true"], "active": ["true"]}
        if provider == "rsa-generated":
            config["algorithm"] = [algorithm]
        elif provider == "ecdsa-generated":
            config["ecdsaEllipticCurveKey"] = [{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]]
        self.admin(
            "POST",
            f"realms/{realm}/components",
            {
                "name": f"rotated-{algorithm}-{config['priority'][0]}",
                "providerId": provider,
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": self.admin("GET", f"realms/{realm}")["id"],
                "config": config,
            },
        )
        return self.admin("GET", f"realms/{realm}/keys")["active"][algorithm]

    def _json(self, method, url, form=None, body=None, token=None):
        headers = {}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            words = error.read(500).decode("utf-8", "replace")
            raise StackError(f"Keycloak answered {error.code} to {method} {url}: {words}") from None
        except OSError as error:
            raise StackError(f"Keycloak cannot be reached for {method} {url}: {error}") from None
        return json.loads(text) if text else None


def client_assertion(client_id, audience, key_file):
    """A JWT by which a client proves who it is, signed with its P-256 key (ES256)."""
    key = serialization.load_pem_private_key(Path(key_file).read_bytes(), password=None)
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": str(uuid.uuid4()), "iat": now, "exp": now + 30}
    signed = f"{base64url(json.dumps({'alg': 'ES256'}).encode())}.{base64url(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
